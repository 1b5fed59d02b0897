"""Labelled cases written by hand; check digits against independent arithmetic."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.core.errors import UsageError
from winnowry.operators.text.pii import Pii, keyed_hash

KEY = "k" * 32


def apply(operator: Pii, *texts: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = operator.apply(
        pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    ).to_pylist()
    return rows


def masked(text: str) -> str:
    result = apply(Pii(), text)[0]["text"]
    assert isinstance(result, str)
    return result


# what must be masked stands in « »
FOUND = {
    "EMAIL": [
        "Write to «john.doe@mail.de».",
        "mailto:«a_b+c@sub.domain.co.uk»?subject=x",
        "<«o'brien@firm.ie»>, '«x@y.org»'",
        "邮箱«zhangsan@163.com»。",
        "QQ：«12345678@qq.com»，«13812345678@qq.com»",
        "See...«name@host.net»...",
        "«USER@HOST.COM»;«user@host.com»",
        "«a@b.xn--p1ai» (рф)",
        "?to=%20«hello@fogs.com»",
        "«first.last@a-b.museum»\n",
        "url https://x.org/?mail=«me@x.org»",
        "Mail «git@gitmail.com» or «github@gitmail.com», not the forge.",
        "Contact «jane.doe@firma.de»: she answers. «jane@firma.de»:123456, «jane@firma.de»:secret",
        "«jane@firma.de»:https://firma.de, «tom@firma.de»/«ann@firma.de»",
        "«a@126.com» «b@1und1.de» «c@3m.com»",
        "Git maintainer <«git@acme.io»>",
    ],
    "IP": [
        "from «61.135.169.121» at noon",
        "http://«93.184.216.34»:8080/path",
        "«198.41.0.4», «2001:503:ba3e::2:30»",
        "IP:«93.184.216.34»。",
        "::ffff:«172.32.2.129»",
        "[«2001:4860:4860::8888»]:53",
        "«2a00:1450:4001:081b:0000:0000:0000:200e» is one",
        "range «61.135.169.1»-«61.135.169.9»",
        "«93.184.216.0»/24",
        "hop 3 «61.135.169.121»",
        "server «2.31.45.99» of the cluster, «2.31.45.99» or its mirror, «2.31.45.99» later that day",
        "ip=«61.135.169.121» <«61.135.169.121»> host:«61.135.169.121»",
        "the library is at «61.135.169.121»",
    ],
    "PHONE": [
        "Call «(415) 556-2671» or «415-556-2671».",
        "«415.556.2671», «1-800-556-1234», «+1 (646) 613-4140»",
        "«+44 20 7946 0958» or «+44 (0)20 7946 0958»",
        "Tel. «+49 6182 7865-99»",
        "tel:«+4915208649244»",
        "电话：«010-65529988»、«0755-26770000»，传真（Fax）«(010)65529988»",
        "联系电话：«022－66707555» «0571—87837988» «（010）65529988»",
        "«+33 1 42 68 53 00»; «+81-3-3432-8837»",
        "«+86-10-65529988»",
    ],
    "IBAN": [
        # examples of the SWIFT IBAN registry
        "IBAN «DE89 3704 0044 0532 0130 00».",
        "«DE89370400440532013000»,«GB29NWBK60161331926819»",
        "«FR14 2004 1010 0505 0001 3M02 606»",
        "«NO93 8601 1117 947»\n«MT84MALT011000012345MTLCAST001S»",
    ],
    "CARD": [
        # test numbers published by the networks
        "«4111 1111 1111 1111» 12/25",
        "«5555-5555-5555-4444»; «378282246310005»",
        "«3782 822463 10005», «3056 930902 5904»",
        "卡号«6200000000000005»。",
        "«2223003122003222» «3530111333300000» «6011111111111117»",
    ],
    "CN_ID": [
        # the example of GB 11643-1999
        "身份证号码：«11010519491231002X»，",
        "ID «11010519491231002x».",
    ],
    "CN_MOBILE": [
        "手机«13812345678»，微信：«199 5781 5599»",
        "«139 1893 8446» «139 4005 8006»",
        "«+86 138-1234-5678» «+8613812345678» «008613812345678» «86-13812345678»",
        "«(86)13812345678» «(+86) 138 1234 5678»",
        "电话：«13812345678»/«13987654321»/«15012345678»",
    ],
}

NOTHING = [
    # not an e-mail address
    "icon@2x.png lodash@4.17.21 @user a@b @ example@ someone@localhost a@b.c me@1.2",
    "email@example.com firstname.lastname@example.org x@sub.example.net y@host.invalid",
    "Sprinkled.content@filterEmpty.0.ledeMedia  .@x.y  a..@",
    "https://medium.com/@name/post  a@-b.com",
    # who logs in where, handles, packages, files
    "git clone git@github.com:acme/tool.git  git@gitlab.acme.io:team/app.git, hg@bitbucket.org:acme/tool",
    "scp a.txt deploy@web1.acme.io:/srv/www  rsync root@db.acme.io:~/dump  me@host.acme.io:backup.git.",
    "ssh://git@github.com/acme/tool  https://user@host.acme.io/x  ftp://user:pass@ftp.acme.io  ssh -T git@github.com",
    "@news@mastodon.social @types/node@18.2.0 tool@1.0.0-beta.dev user@localhost image@sha256:abcdef foo@2x.png",
    "uses: acme/build@main.yml  org.acme:tool:1.2@aar",
    # versions beside a word, requirements, sections
    "lib 2.31.45.99 of the package, 2.31.45.99 of this library, 61.135.169.121 or later",
    "tool==61.135.169.121 tool>=61.135.169.121 tool~=61.135.169.121 ^61.135.169.121 ~61.135.169.121",
    "§ 61.135.169.121 §61.135.169.121 版本61.135.169.121 版本号：61.135.169.121 plugin 61.135.169.121",
    "tool-61.135.169.121.tar.gz tool_61.135.169.121 61.135.169.121-rc1 61.135.169.121.jar 0.0.0.0",
    # versions, sections, private and reserved addresses, parts of longer numbers
    "version 1.2.3.4, v61.135.169.121, Release 93.184.216.34, section 4.3.2.1 of 8.8.8.8",
    "Chrome/91.135.169.121 lib-61.135.169.121 61.135.169.121-beta 61.135.169.121a 9.0.124.0 108.0.0.0",
    "10.1.2.3 172.16.0.1 192.168.100.200 127.0.0.1 169.254.99.99 100.64.99.1 224.0.0.251 255.255.255.255",
    "192.0.2.55 198.51.100.44 203.0.113.99 198.18.44.1 0.44.44.44",
    "1.3.6.1.4.1.311 61.135.169.121.5 61.135.169.256 061.135.169.121 c1.13,3.53.53.32,5.31 2.12-2.82.64.40-.18",
    "22.214.171.124 126.96.36.199 188.8.131.52 184.108.40.206 220.127.116.11 18.104.22.168",
    "2001:db8::1:2 fe80::1:2:3 fc00::1:2 ::1 12:34:56 2008:10:12 std::vector dead::beef 2008::",
    "2001:0:4136::1 2002:c000:204::1 2001:4860:4860::8888::1 00:1a:2b:3c:4d:5e",
    # not a telephone number
    "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, 2008-10-12 10:20:30, 1609459200, 1609459200000",
    "555-0123 (212) 555-0142 123-456-7890 415-156-2671 911-556-2671 415-5562671 4155562671",
    "+0800 +1.5 +12 345 678 +100 000 2008-2009 3-4-2 $415-556-2671 a415-556-2671 UTC+08:00",
    "growth of +44 and +86, 1 000 000 2008, 010-2008年",
    # wrong check digits, lengths, countries; words
    "DE88370400440532013000 XX89370400440532013000 DE8937040044053201300 de89370400440532013000",
    "ADE89370400440532013000 DE893704004405320130001",
    "4111111111111112 4111 1111 1111 1112 1234567812345670 41111111111111111 8111111111111114",
    "id=4111111111111111 /4111111111111111 0.4111111111111111 4111111111111111.pdf a4111111111111111",
    "http://m.weibo.cn/6984901297/4384816310893422 4111 1111 1111 1111 1111 4111-1111 1111-1111",
    "2008 4111 1111 1111 1111 4222 4222",
    "110105194912310021 11010519491331002X 11010519490230002X 99010519491231002X 1101051949123100",
    "440524188001010014 a11010519491231002X 11010519491231002X5",
    # order numbers, amounts, hashes
    "12812345678 15412345678 138123456789 1381234567 013812345678 13800000000元 18000000000股",
    "id=13812345678 /news/13812345678.html 0.13812345678 13812345678.5 abc13812345678 13812345678a",
    "138 1234 5678 9012 138-1234 5678 550e8400-e29b-41d4-a716-446655440000",
    "d41d8cd98f00b204e9800998ecf8427e 20231114103055 2023111410305512 No. 20231114-0001",
    "<EMAIL> <IP> <PHONE:abcdefghijklmnop>",
]


@pytest.mark.parametrize(("tag", "text"), [(tag, text) for tag, texts in FOUND.items() for text in texts])
def test_personal_data_is_found(tag: str, text: str) -> None:
    assert masked(re.sub("[«»]", "", text)) == re.sub("«.+?»", f"<{tag}>", text)


@pytest.mark.parametrize("text", [part for text in NOTHING for part in (text, text.replace(" ", "  "))])
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    row = apply(Pii(), text)[0]
    assert row.pop("text") == text
    assert set(row.values()) == {0}


@pytest.mark.parametrize("text", NOTHING)
def test_each_word_alone_is_no_personal_data_either(text: str) -> None:
    for word in text.split():
        if word.strip("v,") not in ("61.135.169.121", "93.184.216.34", "8.8.8.8", "2.31.45.99"):
            assert masked(word) == word


def test_finds_are_counted_by_kind_and_null_stays_null() -> None:
    text = "a@b.de, c@d.de; 61.135.169.121; 13812345678; +49 6182 7865-99"
    assert apply(Pii(), text, None, "") == [
        {
            "text": "<EMAIL>, <EMAIL>; <IP>; <CN_MOBILE>; <PHONE>",
            "pii_email_n": 2, "pii_ip_n": 1, "pii_phone_n": 1, "pii_iban_n": 0, "pii_card_n": 0, "pii_cn_id_n": 0,
            "pii_cn_mobile_n": 1,
        },
        dict.fromkeys(Pii().writes().names),
        {"text": "", **dict.fromkeys(Pii().writes().names[1:], 0)},
    ]  # fmt: skip


def test_only_the_kinds_asked_for_are_counted_and_replaced() -> None:
    row = apply(Pii(kinds=("phone",)), "13812345678 a@b.de +86-10-65529988")[0]
    assert row == {"text": "13812345678 a@b.de <PHONE>", "pii_phone_n": 1}


def test_every_kind_can_have_its_own_action() -> None:
    operator = Pii(action="count", email="mask", ip="reject")
    row = apply(operator, "a@b.de 61.135.169.121 13812345678")[0]
    assert row["text"] == "<EMAIL> 61.135.169.121 13812345678"
    assert (row["pii_email_n"], row["pii_ip_n"], row["pii_cn_mobile_n"]) == (1, 1, 1)
    (rule,) = operator.rules()
    assert (rule.name, rule.column, rule.comparison, rule.threshold) == ("ip", "pii_ip_n", "<=", 0)
    assert rule.keeps(pa.array([0, 1, None])).to_pylist() == [True, False, True]


def test_an_action_for_a_kind_that_is_not_looked_for_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cn_id: has an action, but `kinds` does not list it"):
        Pii(kinds=("email",), cn_id="mask")
    with pytest.raises(ValueError, match="each may be listed once"):
        Pii(kinds=("email", "email"))


def test_fineweb_replacements_are_taken_in_turn_within_a_record() -> None:
    # the addresses of datatrove's PIIFormatter
    texts = ("a@b.de c@d.de e@f.de 61.135.169.121", "x@y.de 61.135.169.121 61.135.169.121 13812345678")
    assert [row["text"] for row in apply(Pii(replacement="fineweb"), *texts)] == [
        "email@example.com firstname.lastname@example.org email@example.com 22.214.171.124",
        "email@example.com 22.214.171.124 126.96.36.199 <CN_MOBILE>",
    ]


def test_a_hash_is_keyed_and_the_same_for_the_same_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    operator = Pii(action="hash", hash_key="MY_KEY")
    first, second = apply(operator, "A@b.DE 138 1234 5678 DE89370400440532013000", "x a@b.de +8613812345678 a@c.de")
    expected = hmac.new(KEY.encode(), b"email\0a@b.de", hashlib.sha256).hexdigest()[:16]
    letters = "".join("abcdefghijklmnop"[int(digit, 16)] for digit in expected)
    assert first["text"].split()[0] == second["text"].split()[1] == f"<EMAIL:{letters}>"
    assert first["text"].split()[1] == second["text"].split()[2]
    assert len({*first["text"].split(), *second["text"].split()}) == 5  # one x, two addresses, a number, an account
    assert KEY not in str(operator.fingerprint())
    monkeypatch.setenv("MY_KEY", KEY + "k")
    assert apply(operator, "A@b.DE")[0]["text"] != first["text"].split()[0]
    assert keyed_hash(b"k" * 32, "ip", "2a00:1450:0::1:2") == keyed_hash(b"k" * 32, "ip", "2a00:1450:0:0:0:0:1:2")
    assert keyed_hash(b"k", "phone", "(415) 556-2671") == keyed_hash(b"k", "phone", "+1 415 556 2671")


@pytest.mark.parametrize("key", [None, "", "short"])
def test_hashing_without_a_secret_is_refused(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINNOWRY_PII_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("WINNOWRY_PII_KEY", key)
    with pytest.raises(UsageError, match="at least 16 bytes in the environment variable WINNOWRY_PII_KEY"):
        apply(Pii(email="hash"), "nothing to hash")


@pytest.mark.parametrize("action", ["mask", "hash"])
@given(picked=st.lists(st.sampled_from([*FOUND]), min_size=1, max_size=8), data=st.data())
@settings(max_examples=50)
def test_what_is_written_in_place_is_never_found_itself(action: Any, picked: list[str], data: st.DataObject) -> None:
    texts = [re.sub("[«»]", "", data.draw(st.sampled_from(FOUND[tag]))) for tag in picked]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINNOWRY_PII_KEY", KEY)
        first = apply(Pii(action=action), "\n".join(texts))[0]["text"]
        again = apply(Pii(action=action), first)[0]
    assert again.pop("text") == first
    assert set(again.values()) == {0}


def _luhn_digit(body: str) -> str:
    doubled = [int(d) * 2 if k % 2 == 0 else int(d) for k, d in enumerate(reversed(body))]
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)


@given(st.from_regex(r"(4|5[1-5]|62)[0-9]{8,17}", fullmatch=True), st.integers(1, 9))
@settings(max_examples=300)
def test_a_card_number_needs_the_right_last_digit(body: str, wrong: int) -> None:
    body = body[:15].ljust(15, "7")
    right = _luhn_digit(body)
    number = body + right
    assert masked(f"card {number}.") == "card <CARD>."
    grouped = "-".join(number[k : k + 4] for k in range(0, 16, 4))
    assert masked(grouped) == "<CARD>"
    other = body + str((int(right) + wrong) % 10)
    assert masked(f"card {other}.") == f"card {other}."


_LENGTHS = {"DE": 22, "FR": 27, "NO": 15, "GB": 22, "MT": 31}


@given(
    st.sampled_from(sorted(_LENGTHS)), st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=30), st.integers(1, 96)
)
@settings(max_examples=200)
def test_an_iban_needs_the_right_check_digits(country: str, filler: str, wrong: int) -> None:
    body = filler[: _LENGTHS[country] - 4]
    remainder = int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    iban = f"{country}{98 - remainder:02d}{body}"
    assert masked(iban) == "<IBAN>"
    assert masked(" ".join(iban[k : k + 4] for k in range(0, len(iban), 4))) == "<IBAN>"
    other = f"{country}{(98 - remainder - 2 + wrong) % 97 + 2:02d}{body}"
    assert apply(Pii(), other)[0]["pii_iban_n"] == 0


@given(
    st.sampled_from(["110105", "440524", "650102", "810000", "932682"]),
    st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)),
    st.integers(0, 999),
    st.integers(1, 10),
)
@settings(max_examples=300)
@example("110105", datetime.date(2000, 2, 29), 1, 1)
def test_a_chinese_identity_number_needs_the_right_check_digit(
    area: str, born: datetime.date, serial: int, wrong: int
) -> None:
    # weights and check characters as printed in GB 11643-1999
    body = f"{area}{born:%Y%m%d}{serial:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    k = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
    assert masked(f"身份证{body}{'10X98765432'[k]}号") == "身份证<CN_ID>号"
    other = body + "10X98765432"[(k + wrong) % 11]
    assert apply(Pii(), other)[0]["pii_cn_id_n"] == 0


# first and last address of each block of the IANA registry of special-purpose addresses, and their neighbours
BLOCKS = [
    ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.99.0.0"),
    ("100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"),
    ("127.0.0.0", "127.255.255.255", "126.255.255.255", "128.1.0.0"),
    ("169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"),
    ("172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
    ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
    ("192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"),
    ("192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"),
    ("198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"),
    ("198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"),
    ("203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"),
    ("224.0.0.0", "255.255.255.255", "223.255.255.255", "223.1.0.0"),
]


@pytest.mark.parametrize(("first", "last", "below", "above"), BLOCKS)
def test_only_public_addresses_are_found(first: str, last: str, below: str, above: str) -> None:
    assert masked(f"{first}\n{last}\n{below}\n{above}") == f"{first}\n{last}\n<IP>\n<IP>"


@given(st.lists(st.one_of(st.none(), st.text("1a@.-: +(4)/\u4e00X", max_size=40)), max_size=6), st.integers(0, 6))
@settings(max_examples=200)
def test_text_around_the_finds_is_untouched(texts: list[str | None], cut: int) -> None:
    whole = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    result = Pii().apply(whole)
    result.validate(full=True)
    for before, row in zip(texts, result.to_pylist(), strict=True):
        if before is None:
            assert row["text"] is None
            continue
        pieces = re.split("<[A-Z_]+>", row["text"])
        assert len(pieces) - 1 == sum(n for name, n in row.items() if name != "text")
        assert re.fullmatch("(.+)".join(map(re.escape, pieces)), before, re.DOTALL)
    parts = [whole.slice(0, cut), whole.slice(cut)]
    assert [row for part in parts for row in Pii().apply(part).to_pylist()] == result.to_pylist()
