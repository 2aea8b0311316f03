"""What the sandbox's TextVerified sells. Costs are in cents, at the provider, before our markup."""

import hashlib
from dataclasses import dataclass

MOCK_COST = 25
AREA_CODE_FEE = 10
CARRIER_FEE = 10


@dataclass(frozen=True)
class Mock:
    """How one of the vendor's own test services behaves. Seconds after the sale."""

    code_after: float | None = None
    ends_after: float = 600
    refusal: str | None = None


@dataclass(frozen=True)
class Offer:
    name: str
    title: str
    cost: int
    mock: Mock | None = None

    @property
    def lifetime(self) -> float:
        """Return how long a number lives, in seconds: 5 to 15 minutes, by service."""
        if self.mock:
            return self.mock.ends_after
        return 300 + 60 * (hashlib.sha256(self.name.encode()).digest()[0] % 11)

    def price(self, *, area_code: bool, carrier: bool) -> int:
        return self.cost + AREA_CODE_FEE * area_code + CARRIER_FEE * carrier


_MOCKS = {
    "test_success": Mock(code_after=3),
    "test_delayed_success": Mock(code_after=30),
    "test_pending": Mock(ends_after=900),
    "test_timeout": Mock(ends_after=20),
    "test_no_numbers": Mock(refusal="Unavailable"),
    "test_insufficient_balance": Mock(refusal="InsufficientBalance"),
}

_ORDINARY = [
    ("airbnb", "Airbnb", 75),
    ("aliexpress", "AliExpress", 35),
    ("amazon", "Amazon", 60),
    ("anthropic", "Anthropic", 95),
    ("apple", "Apple", 85),
    ("badoo", "Badoo", 50),
    ("bumble", "Bumble", 80),
    ("caremark", "CVS Caremark", 110),
    ("cashapp", "Cash App", 210),
    ("chase", "Chase Bank", 250),
    ("coinbase", "Coinbase", 195),
    ("craigslist", "Craigslist", 65),
    ("deliveroo", "Deliveroo", 40),
    ("discord", "Discord", 30),
    ("doordash", "DoorDash", 55),
    ("ebay", "eBay", 65),
    ("etsy", "Etsy", 45),
    ("facebook", "Facebook", 50),
    ("fiverr", "Fiverr", 35),
    ("github", "GitHub", 30),
    ("gofundme", "GoFundMe", 70),
    ("google", "Google, Gmail, YouTube", 75),
    ("grindr", "Grindr", 55),
    ("hinge", "Hinge", 85),
    ("idme", "ID.me", 240),
    ("imgur", "Imgur", 15),
    ("instacart", "Instacart", 60),
    ("instagram", "Instagram", 40),
    ("kakaotalk", "KakaoTalk", 45),
    ("line", "LINE", 45),
    ("linkedin", "LinkedIn", 60),
    ("lyft", "Lyft", 70),
    ("mercari", "Mercari", 55),
    ("microsoft", "Microsoft, Outlook, Xbox", 35),
    ("mychart", "MyChart", 130),
    ("netflix", "Netflix", 45),
    ("nextdoor", "Nextdoor", 55),
    ("offerup", "OfferUp", 50),
    ("okcupid", "OkCupid", 60),
    ("openai", "OpenAI, ChatGPT", 90),
    ("paypal", "PayPal", 185),
    ("pinterest", "Pinterest", 20),
    ("postmates", "Postmates", 45),
    ("reddit", "Reddit", 25),
    ("robinhood", "Robinhood", 200),
    ("signal", "Signal", 70),
    ("snapchat", "Snapchat", 40),
    ("spotify", "Spotify", 25),
    ("ssa", "Social Security Administration", 245),
    ("steam", "Steam", 40),
    ("stripe", "Stripe", 175),
    ("telegram", "Telegram", 125),
    ("tiktok", "TikTok", 35),
    ("tinder", "Tinder", 95),
    ("twitch", "Twitch", 30),
    ("uber", "Uber", 55),
    ("usps", "United States Postal Service", 150),
    ("venmo", "Venmo", 190),
    ("viber", "Viber", 50),
    ("vk", "VK", 45),
    ("wechat", "WeChat", 140),
    ("wellsfargo", "Wells Fargo", 250),
    ("whatsapp", "WhatsApp", 110),
    ("x", "X, Twitter", 45),
    ("yahoo", "Yahoo", 30),
    ("zelle", "Zelle", 220),
    ("zoom", "Zoom", 25),
]

OFFERS: dict[str, Offer] = {
    offer.name: offer
    for offer in (
        *(Offer(name, title, cost) for name, title, cost in _ORDINARY),
        *(Offer(name, f"Mock service: {name}", MOCK_COST, mock) for name, mock in _MOCKS.items()),
    )
}

_AREA_CODES = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 "
    "253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 "
    "321 323 325 330 334 336 337 339 347 351 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 "
    "419 423 424 425 432 434 435 440 443 469 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 "
    "518 520 530 540 541 551 559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 605 606 607 608 609 610 "
    "612 614 615 616 617 618 619 620 623 626 630 631 636 641 646 650 651 660 661 662 678 682 701 702 703 704 706 707 "
    "708 712 713 714 715 716 717 718 719 720 724 727 731 732 734 740 754 757 760 763 765 770 772 773 774 775 781 785 "
    "786 801 802 803 804 805 806 808 810 812 813 814 815 816 817 818 828 830 831 832 843 845 847 848 850 856 857 858 "
    "859 860 862 863 864 865 870 901 903 904 906 908 909 910 912 913 914 915 916 917 918 919 920 925 928 931 936 937 "
    "940 941 947 949 951 952 954 956 970 971 972 973 978 979 980 985 989"
)
AREA_CODES = tuple(_AREA_CODES.split())
