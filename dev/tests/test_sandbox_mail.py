"""The mail page, over what Django's own file-based backend writes."""

from dataclasses import replace

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.filebased import EmailBackend

from dev.sandbox.testing import RunningSandbox, running_sandbox
from dev.tests.sandbox_clients import plain


@pytest.fixture
def mailbox(sandbox_process, tmp_path):
    with running_sandbox(replace(sandbox_process.config, mail_dir=tmp_path)) as sandbox:
        yield sandbox


def send(sandbox: RunningSandbox, *subjects: str, text: str = "Hello", html: str = "") -> None:
    messages = []
    for subject in subjects:
        message = EmailMultiAlternatives(subject, text, "shop@ringfence.test", ["Zoë <zoe@example.test>"])
        if html:
            message.attach_alternative(html, "text/html")
        messages.append(message)
    EmailBackend(file_path=str(sandbox.config.mail_dir)).send_messages(messages)


def test_an_empty_mailbox_says_so(mailbox):
    assert "No mail yet." in plain(mailbox).get("/mail").text
    assert mailbox.mail() == []


def test_messages_are_listed_newest_first(mailbox):
    send(mailbox, "One", "Two")
    send(mailbox, "Three")
    assert [mail["subject"] for mail in mailbox.mail()] == ["Three", "Two", "One"]
    assert mailbox.ledger()["mail"] == 3


def test_a_message_is_read_with_its_links(mailbox):
    send(
        mailbox,
        "Confirm your address: grüße",
        text="Hello Zoë,\n\nopen http://localhost:8000/confirm/a:b-c/ (or not).\nBye",
        html='<p>Hello <a href="http://localhost:8000/confirm/a:b-c/">there</a></p>',
    )
    [mail] = mailbox.mail()
    assert {name: mail[name] for name in ("to", "from", "subject", "text", "links")} == {
        "to": "Zoë <zoe@example.test>",
        "from": "shop@ringfence.test",
        "subject": "Confirm your address: grüße",
        "text": "Hello Zoë,\n\nopen http://localhost:8000/confirm/a:b-c/ (or not).\nBye",
        "links": ["http://localhost:8000/confirm/a:b-c/"],
    }


def test_the_page_of_a_message_has_clickable_links_and_shuts_the_html_in(mailbox):
    send(mailbox, "Hi <b>", text="Go to http://localhost:8000/x <now>", html='<p onclick="x()">"Hi"</p>')
    page = plain(mailbox).get(f"/mail/{mailbox.mail()[0]['id']}").text
    assert "<h1>Hi &lt;b&gt;</h1>" in page
    assert '<a href="http://localhost:8000/x">http://localhost:8000/x</a> &lt;now&gt;' in page
    assert 'sandbox srcdoc="&lt;p onclick=&quot;x()&quot;&gt;&quot;Hi&quot;&lt;/p&gt;"' in page


def test_a_reset_hides_the_messages_that_were_there(mailbox):
    send(mailbox, "Old")
    mailbox.reset()
    send(mailbox, "New")
    assert [mail["subject"] for mail in mailbox.mail()] == ["New"]
    assert mailbox.ledger()["mail"] == 1


def test_other_files_and_messages_are_not_found(mailbox):
    assert [plain(mailbox).get(f"/mail/{name}").status_code for name in ("none", "..%2F..%2Fetc%2Fpasswd")] == [
        404,
        404,
    ]
