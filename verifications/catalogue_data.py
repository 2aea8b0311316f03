"""What the provider does not say of its services: their titles, their categories, and which are popular.

It is used for new rows alone: staff edit titles, categories and blocks in the console, and what they set stays.
"""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

TESTING = "testing"
OTHER = "other"
UNCLASSIFIED = "unclassified"  # what no row of the table names: not for sale until staff choose a category
# Numbers for any service at all: no category could be blocked while one of these is sold.
CATCH_ALLS = frozenset({"servicenotlisted", "allservices"})


class Kind(NamedTuple):
    slug: str
    name: str
    blocked: bool = False


class Known(NamedTuple):
    title: str
    category: str
    blocked: bool = False


# Blocked kinds are those where a borrowed number is mostly wanted for what the acceptable-use policy forbids.
CATEGORIES = (
    Kind("ai", "AI and developers"),
    Kind("banking", "Banking and investing", blocked=True),
    Kind("dating", "Dating"),
    Kind("email", "E-mail and accounts"),
    Kind("food", "Food and delivery"),
    Kind("gaming", "Gaming"),
    Kind("government", "Government and identity", blocked=True),
    Kind("health", "Health", blocked=True),
    Kind("jobs", "Jobs and services"),
    Kind("media", "Music, film and reading"),
    Kind("messaging", "Messaging"),
    Kind(OTHER, "Other"),
    Kind("payments", "Payments and crypto", blocked=True),
    Kind("rewards", "Surveys and rewards"),
    Kind("shopping", "Shopping"),
    Kind("social", "Social networks"),
    Kind(TESTING, "Testing"),
    Kind("travel", "Travel and rides"),
    Kind(UNCLASSIFIED, "Not classified yet", blocked=True),
)

# Asked for most, in this order: priced first, while nothing has been bought yet.
POPULAR = (
    "whatsapp",
    "telegram",
    "google",
    "openai",
    "discord",
    "instagram",
    "facebook",
    "tiktok",
    "x",
    "microsoft",
    "signal",
    "tinder",
    "amazon",
    "uber",
    "apple",
    "yahoo",
    "snapchat",
    "reddit",
    "linkedin",
    "steam",
)

# The vendor's own test services, in the order in which a newcomer tries them.
TEST_SERVICES = {
    "test_success": "Test Success",
    "test_delayed_success": "Test Delayed Success",
    "test_pending": "Test Pending",
    "test_timeout": "Test Timeout",
    "test_reactivatable": "Test Reactivatable",
    "test_no_numbers": "Test No Numbers",
    "test_insufficient_balance": "Test Insufficient Balance",
}

# What they do, for those who try them.
TEST_NOTES = {
    "test_success": _("A code arrives after 3 seconds"),
    "test_delayed_success": _("A code arrives after 30 seconds"),
    "test_pending": _("No code ever: try cancelling it"),
    "test_timeout": _("Ends after 20 seconds without a code, and is refunded"),
    "test_reactivatable": _("A number that could be used again"),
    "test_no_numbers": _("Out of stock: nothing is charged"),
    "test_insufficient_balance": _("Our provider says no: nothing is charged"),
}

_TABLE = {
    "ai": """
        anthropic=Anthropic, Claude; apify=Apify; aws=Amazon Web Services; claude=Anthropic, Claude
        cloudflare=Cloudflare; deepseek=DeepSeek; digitalocean=DigitalOcean; github=GitHub; gitlab=GitLab
        googlecloud=Google Cloud; heroku=Heroku; midjourney=Midjourney; mistral=Mistral AI; openai=OpenAI, ChatGPT
        oracle=Oracle Cloud; perplexity=Perplexity; replit=Replit; twilio=Twilio; vercel=Vercel; vultr=Vultr
    """,
    "banking": """
        ally=Ally Bank; americanexpress=American Express; bankofamerica=Bank of America; capitalone=Capital One
        chase=Chase Bank; chime=Chime; citi=Citibank; citibank=Citibank; creditkarma=Credit Karma; current=Current
        dave=Dave; discover=Discover; etrade=E*TRADE; experian=Experian; fidelity=Fidelity; green_dot=Green Dot
        greendot=Green Dot; monzo=Monzo; n26=N26; netspend=Netspend; pnc=PNC Bank; revolut=Revolut
        robinhood=Robinhood; schwab=Charles Schwab; sofi=SoFi; tdbank=TD Bank; transunion=TransUnion; truist=Truist
        usaa=USAA; usbank=U.S. Bank; varo=Varo; webull=Webull; wellsfargo=Wells Fargo
    """,
    "dating": """
        badoo=Badoo; bumble=Bumble; coffeemeetsbagel=Coffee Meets Bagel; feeld=Feeld; grindr=Grindr; happn=Happn
        her=HER; hinge=Hinge; match=Match; meetme=MeetMe; okcupid=OkCupid; plentyoffish=Plenty of Fish
        pof=Plenty of Fish; raya=Raya; tagged=Tagged; thursday=Thursday; tinder=Tinder; zoosk=Zoosk
    """,
    "email": """
        aol=AOL; apple=Apple; fastmail=Fastmail; gmail=Gmail; gmx=GMX; google=Google, Gmail, YouTube
        hotmail=Hotmail, Outlook; icloud=iCloud; mailru=Mail.ru; microsoft=Microsoft, Outlook, Xbox; naver=Naver
        outlook=Outlook; proton=Proton; protonmail=Proton Mail; tutanota=Tuta; yahoo=Yahoo; yandex=Yandex; zoho=Zoho
    """,
    "food": """
        chickfila=Chick-fil-A; deliveroo=Deliveroo; dominos=Domino's; doordash=DoorDash; grubhub=Grubhub
        gopuff=Gopuff; hellofresh=HelloFresh; instacart=Instacart; mcdonalds=McDonald's; postmates=Postmates
        shipt=Shipt; starbucks=Starbucks; toogoodtogo=Too Good To Go; ubereats=Uber Eats
    """,
    "gaming": """
        battlenet=Battle.net; blizzard=Blizzard; ea=Electronic Arts; epicgames=Epic Games; faceit=FACEIT
        nintendo=Nintendo; playstation=PlayStation; riot=Riot Games; roblox=Roblox; steam=Steam; twitch=Twitch
        ubisoft=Ubisoft; xbox=Xbox
    """,
    "government": """
        dmv=DMV; idme=ID.me; irs=Internal Revenue Service; logingov=Login.gov; medicare=Medicare
        ssa=Social Security Administration; studentaid=Federal Student Aid; uscis=USCIS
        usps=United States Postal Service; va=Veterans Affairs
    """,
    "health": """
        aetna=Aetna; caremark=CVS Caremark; cerebral=Cerebral; cigna=Cigna; cvs=CVS Pharmacy; goodrx=GoodRx
        hims=Hims; kaiser=Kaiser Permanente; mychart=MyChart; teladoc=Teladoc; unitedhealthcare=UnitedHealthcare
        walgreens=Walgreens; zocdoc=Zocdoc
    """,
    "jobs": """
        care=Care.com; fiverr=Fiverr; freelancer=Freelancer; glassdoor=Glassdoor; handshake=Handshake; indeed=Indeed
        linkedin=LinkedIn; mturk=Amazon Mechanical Turk; rover=Rover; taskrabbit=Taskrabbit; thumbtack=Thumbtack
        toptal=Toptal; upwork=Upwork; zoom=Zoom
    """,
    "media": """
        audible=Audible; disneyplus=Disney+; hulu=Hulu; imgur=Imgur; medium=Medium; netflix=Netflix
        onlyfans=OnlyFans; patreon=Patreon; soundcloud=SoundCloud; spotify=Spotify; substack=Substack; tidal=Tidal
        vimeo=Vimeo; youtube=YouTube
    """,
    "messaging": """
        discord=Discord; googlevoice=Google Voice; imo=imo; kakaotalk=KakaoTalk; kik=Kik; line=LINE; signal=Signal
        skype=Skype; slack=Slack; telegram=Telegram; textfree=TextFree; textnow=TextNow; viber=Viber; wechat=WeChat
        whatsapp=WhatsApp; zalo=Zalo
    """,
    "payments": """
        affirm=Affirm; afterpay=Afterpay; alipay=Alipay; applepay=Apple Pay; binance=Binance; bitpay=BitPay
        cashapp=Cash App; coinbase=Coinbase; cryptocom=Crypto.com; gemini=Gemini; gofundme=GoFundMe
        googlepay=Google Pay; klarna=Klarna; kraken=Kraken; kucoin=KuCoin; moneygram=MoneyGram; okx=OKX
        paypal=PayPal; paysafe=Paysafe; remitly=Remitly; skrill=Skrill; square=Square; stripe=Stripe; venmo=Venmo
        westernunion=Western Union; wise=Wise; zelle=Zelle; zip=Zip
    """,
    "rewards": """
        branded_surveys=Branded Surveys; fetch=Fetch; freecash=Freecash; ibotta=Ibotta; inboxdollars=InboxDollars
        mistplay=Mistplay; prolific=Prolific; rakuten=Rakuten; surveyjunkie=Survey Junkie; swagbucks=Swagbucks
        yougov=YouGov
    """,
    "shopping": """
        adidas=Adidas; alibaba=Alibaba; aliexpress=AliExpress; amazon=Amazon; bestbuy=Best Buy; costco=Costco
        craigslist=Craigslist; depop=Depop; ebay=eBay; etsy=Etsy; facebookmarketplace=Facebook Marketplace
        grailed=Grailed; mercari=Mercari; nike=Nike; offerup=OfferUp; poshmark=Poshmark; sephora=Sephora
        shein=SHEIN; shopify=Shopify; stockx=StockX; target=Target; temu=Temu; ticketmaster=Ticketmaster
        vinted=Vinted; walmart=Walmart; wayfair=Wayfair; wish=Wish
    """,
    "social": """
        bereal=BeReal; bigo=Bigo Live; bluesky=Bluesky; clubhouse=Clubhouse; douyin=Douyin; facebook=Facebook
        instagram=Instagram; mastodon=Mastodon; meetup=Meetup; nextdoor=Nextdoor; parler=Parler; pinterest=Pinterest
        quora=Quora; reddit=Reddit; snapchat=Snapchat; threads=Threads; tiktok=TikTok; truthsocial=Truth Social
        tumblr=Tumblr; twitter=X, Twitter; vk=VK; weibo=Weibo; x=X, Twitter; yelp=Yelp
    """,
    "travel": """
        airbnb=Airbnb; bird=Bird; blablacar=BlaBlaCar; bolt=Bolt; booking=Booking.com; expedia=Expedia
        getaround=Getaround; grab=Grab; gojek=Gojek; lime=Lime; lyft=Lyft; turo=Turo; uber=Uber; vrbo=Vrbo
        waymo=Waymo
    """,
}


_CATCH_ALL_TITLES = {"servicenotlisted": "Service not listed", "allservices": "All services"}


SERVICES: dict[str, Known] = {}
for _category, _text in _TABLE.items():
    for _entry in _text.replace("\n", ";").split(";"):
        if _entry.strip():
            _name, _title = _entry.split("=", 1)
            SERVICES[_name.strip()] = Known(_title.strip(), _category)
SERVICES |= {name: Known(title, TESTING) for name, title in TEST_SERVICES.items()}


def known(name: str) -> Known:
    """Return title and category of a service: from the table, else its name made readable, and not classified yet."""
    found = SERVICES.get(name.lower())
    if found is not None:
        return found
    if name.lower().startswith("test_"):
        return Known(f"Test: {name[5:].replace('_', ' ')}"[:80], TESTING)
    if name.lower() in CATCH_ALLS:
        return Known(_CATCH_ALL_TITLES[name.lower()], OTHER, blocked=True)
    return Known(humanised(name)[:80], UNCLASSIFIED)


def humanised(name: str) -> str:
    """`new_york_times` -> `New York Times`; a name that has capitals keeps them."""
    words = name.replace("_", " ").replace("-", " ").split()
    return " ".join(word if any(map(str.isupper, word)) else word.capitalize() for word in words) or name
