"""The objects of make_objects.py, each spoilt in one way, with the code and the place of the refusal."""

from tlv_writer import length_of, tlv, uint


def with_field(body, name, content):
    """The same body with one field's content replaced."""
    return type(body)([(each, tag, content if each == name else own, shown)
                       for each, tag, own, shown in body.fields], body.tag)


def without(body, name):
    return type(body)([field for field in body.fields if field[0] != name], body.tag)


def swapped(body, first):
    fields = list(body.fields)
    fields[first], fields[first + 1] = fields[first + 1], fields[first]
    return type(body)(fields, body.tag)


def with_extra(body, *fields):
    return type(body)([*body.fields, *fields], body.tag)


def long_length(tag, content):
    """One byte more for the length than it takes."""
    shortest = length_of(len(content))
    octets = shortest if len(content) < 0x80 else b"\0" + shortest[1:]
    return bytes([tag, 0x80 + len(octets)]) + octets + content


def refused(kind, comment, made, code, path):
    return {"comment": f"{kind}: {comment}", "tags": [kind], "kind": kind, "hex": made.hex(),
            "refusal": code, "path": path}


def content_of(whole):
    """What is inside a TLV with a tag of one byte."""
    return whole[2:] if whole[1] < 0x80 else whole[2 + whole[1] - 0x80:]


def spoilt_form(coin, body):
    content = content_of(coin)
    body_bytes, signature = body.bytes, content[len(body.bytes):]
    loose = long_length(0x80, b"\1") + body.content[3:]
    _, tag, value, _ = body.fields[5]
    loose_value = body.content.replace(tlv(tag, value), long_length(tag, value))
    assert len(loose) == len(loose_value) == len(body.content) + 1
    size = len(content)
    return [
        ("no bytes", b"", "truncated", "coin"),
        ("a tag alone", coin[:1], "truncated", "coin"),
        ("cut by a byte", coin[:-1], "truncated", "coin"),
        ("a byte too many", coin + b"\0", "trailing-bytes", "coin"),
        ("itself twice", coin + coin, "trailing-bytes", "coin"),
        ("a length of two bytes where one serves",
         b"\xe1\x82" + size.to_bytes(2, "big") + content, "non-minimal-length", "coin"),
        ("a length of three bytes where one serves",
         b"\xe1\x83" + size.to_bytes(3, "big") + content, "non-minimal-length", "coin"),
        ("a length of four bytes", b"\xe1\x84" + size.to_bytes(4, "big") + content,
         "out-of-bounds", "coin"),
        ("indefinite length", b"\xe1\x80" + content + b"\0\0", "non-minimal-length", "coin"),
        ("a length in long form inside", tlv(0xE1, tlv(0xA0, loose) + signature),
         "non-minimal-length", "coin.version"),
        ("the value's length in long form", tlv(0xE1, tlv(0xA0, loose_value) + signature),
         "non-minimal-length", "coin.value"),
        ("another object's tag", b"\xe2" + coin[1:], "unexpected-tag", "coin"),
        ("a tag of two bytes", b"\x9f\x61" + coin[1:], "unexpected-tag", "coin"),
        ("a tag of two bytes where one serves", b"\x9f\x01" + coin[1:], "unexpected-tag", "coin"),
        ("a tag of three bytes", b"\x9f\x81\x01" + coin[1:], "unexpected-tag", "coin"),
        ("the signature first", tlv(0xE1, signature + body_bytes), "unexpected-tag", "coin.body"),
        ("no signature", tlv(0xE1, body_bytes), "truncated", "coin.signature"),
        ("two signatures", tlv(0xE1, content + signature), "trailing-bytes", "coin"),
        ("a signature of 63 bytes", tlv(0xE1, body_bytes + tlv(0x9E, signature[2:-1])),
         "out-of-bounds", "coin.signature"),
        ("a signature of 65 bytes", tlv(0xE1, body_bytes + tlv(0x9E, signature[2:] + b"\0")),
         "out-of-bounds", "coin.signature"),
        ("a body without content", tlv(0xE1, tlv(0xA0, b"") + signature), "truncated",
         "coin.version"),
    ]


def spoilt_coin(body):
    values = [
        ("version 0", "version", uint(0), "out-of-bounds"),
        ("version 2", "version", uint(2), "out-of-bounds"),
        ("algorithm 0", "algorithm", b"\0", "bad-value"),
        ("algorithm 2", "algorithm", b"\2", "bad-value"),
        ("an algorithm of two bytes", "algorithm", b"\0\1", "out-of-bounds"),
        ("a network without a name", "network", b"", "out-of-bounds"),
        ("a network name of 33 bytes", "network", b"n" * 33, "out-of-bounds"),
        ("a network name with a line feed", "network", b"de\nmo", "bad-value"),
        ("a network name with DEL", "network", b"demo\x7f", "bad-value"),
        ("a network name with a C1 control", "network", "de\x9bmo".encode(), "bad-value"),
        ("a network name that is not UTF-8", "network", b"demo\xff", "bad-value"),
        ("a network name in overlong UTF-8", "network", b"\xc1\xa4emo", "bad-value"),
        ("a network name with a surrogate", "network", b"\xed\xa0\x80", "bad-value"),
        ("a coin ID of 15 bytes", "coinId", bytes(15), "out-of-bounds"),
        ("an issuer in capitals", "issuer", b"Q1", "bad-value"),
        ("an issuer with an empty label", "issuer", b"q..1", "bad-value"),
        ("an issuer that ends in a hyphen", "issuer", b"q1-", "bad-value"),
        ("an issuer of 33 bytes", "issuer", b"q" * 33, "out-of-bounds"),
        ("a value without bytes", "value", b"", "out-of-bounds"),
        ("a value with a leading zero", "value", b"\0\1\0\0", "non-minimal-length"),
        ("a value of nine bytes", "value", b"\1" * 9, "out-of-bounds"),
        ("a currency in small letters", "currency", b"eur", "bad-value"),
        ("a currency of four letters", "currency", b"EURO", "out-of-bounds"),
        ("a commitment of 31 bytes", "commitment", bytes(31), "out-of-bounds"),
    ]
    made = [(comment, with_field(body, name, content), code, f"coin.{name}")
            for comment, name, content, code in values]
    expiry = body.fields[-1]
    return made + [
        ("two fields swapped", swapped(body, 2), "unexpected-tag", "coin.network"),
        ("no currency", without(body, "currency"), "unexpected-tag", "coin.currency"),
        ("no expiry", without(body, "expiry"), "truncated", "coin.expiry"),
        ("two expiries", with_extra(body, expiry), "trailing-bytes", "coin"),
        ("a field that nobody knows", with_extra(body, ("", 0x89, b"\0", None)), "trailing-bytes",
         "coin"),
    ]


def spoilt_quote(body, lines, tools):
    def bill(changed):
        return tools["quote_body"](changed)

    first, second, third = lines
    wide = with_field(second, "fee", b"\1" * 9)
    stranger = type(second)(second.fields, 0xA1)
    return [
        ("a bill of one line", bill([first]), "out-of-bounds", "quote.bill"),
        ("a bill of seventeen lines",
         bill([tools["bill_line"](f"q{i}", i) for i in range(17)]), "out-of-bounds", "quote.bill"),
        ("a fee of nine bytes", bill([first, wide, third]), "out-of-bounds", "quote.bill[1].fee"),
        ("a line of another tag", bill([first, second, stranger]), "unexpected-tag",
         "quote.bill[2]"),
        ("a line without its announcement", bill([without(first, "announcement"), second]),
         "truncated", "quote.bill[0].announcement"),
        ("a payer without a station", with_field(body, "payer", b"alice"), "bad-value",
         "quote.payer"),
        ("a payer of two stations", with_field(body, "payer", b"alice@q1@q2"), "bad-value",
         "quote.payer"),
        ("a payer of 65 bytes", with_field(body, "payer", b"a" * 62 + b"@q1"), "out-of-bounds",
         "quote.payer"),
        ("no suite of ours", with_field(body, "minimumSuite", b"\4"), "bad-value",
         "quote.minimumSuite"),
        ("a key of 33 bytes", with_field(body, "payeeStationKey", bytes(33)), "out-of-bounds",
         "quote.payeeStationKey"),
    ]


def spoilt_payment(whole, tools):
    transaction, signature, quote, coin = whole["parts"]
    made = tools["payment_bytes"]
    held = whole["certificate"]
    return [
        ("a quote in the transaction's place", made(quote, signature, quote, coin, held),
         "unexpected-tag", "payment.transaction"),
        ("a byte behind the transaction", made(transaction + b"\0", signature, quote, coin, held),
         "trailing-bytes", "payment.transaction"),
        ("a transaction of 513 bytes", made(bytes(513), signature, quote, coin, held),
         "out-of-bounds", "payment.transaction"),
        ("half a quote", made(transaction, signature, quote[:99], coin, held), "truncated",
         "payment.quote"),
        ("a signature of 63 bytes", made(transaction, signature[1:], quote, coin, held),
         "out-of-bounds", "payment.payerSignature"),
        ("no coin", made(transaction, signature, quote, b"", held), "unexpected-tag",
         "payment.coin"),
        ("a coin without its signature",
         made(transaction, signature, quote, tlv(0xE1, content_of(coin)[:-66]), held), "truncated",
         "payment.coin.signature"),
        ("an empty certificate", made(transaction, signature, quote, coin, b""), "out-of-bounds",
         "payment.payerCertificate"),
        ("a certificate of 1,025 bytes", made(transaction, signature, quote, coin, bytes(1025)),
         "out-of-bounds", "payment.payerCertificate"),
        ("two certificates", tlv(0xE5, content_of(whole["payment"]) + tlv(0x84, held)), "trailing-bytes",
         "payment"),
    ]


def spoilt_admission(admission):
    """Our payment's admission is the second of three: its path has two hashes."""
    content = content_of(admission)
    body = content[:2 + content[1]]
    signature = admission[-66:]
    sibling = tlv(0x80, bytes(32))

    def proof(index, size, hashes):
        content = tlv(0x80, uint(index)) + tlv(0x81, uint(size)) + tlv(0xA2, sibling * hashes)
        return tlv(0xE6, body + tlv(0xA1, content + signature))

    return [
        ("an index as large as its batch", proof(3, 3, 2), "bad-value", "admission.proof"),
        ("a path that is too short", proof(1, 3, 1), "bad-value", "admission.proof"),
        ("a path that is too long", proof(1, 3, 3), "bad-value", "admission.proof"),
        ("a path where one statement stands alone", proof(0, 1, 1), "bad-value", "admission.proof"),
        ("a batch of none", proof(0, 0, 0), "out-of-bounds", "admission.proof.size"),
        ("a batch of 65", proof(0, 65, 6), "out-of-bounds", "admission.proof.size"),
        ("index 64", proof(64, 64, 6), "out-of-bounds", "admission.proof.index"),
        ("a path of seven hashes", proof(0, 64, 7), "out-of-bounds", "admission.proof.path"),
        ("no proof", tlv(0xE6, body), "truncated", "admission.proof"),
    ]


def spoilt_receipts(delivered, undelivered):
    acknowledgement, reason = delivered.fields[-1], undelivered.fields[-1]
    between = type(delivered)([*delivered.fields[:-1], reason, acknowledgement])
    return [
        ("delivered without acknowledgement", without(delivered, "acknowledgement"), "bad-value",
         "receipt"),
        ("delivered with a reason", between, "bad-value", "receipt"),
        ("undelivered without a reason", without(undelivered, "reason"), "bad-value", "receipt"),
        ("undelivered with an acknowledgement", with_extra(undelivered, acknowledgement),
         "bad-value", "receipt"),
        ("a third verdict", with_field(undelivered, "verdict", b"\3"), "bad-value",
         "receipt.verdict"),
        ("reason 0", with_field(undelivered, "reason", b"\0"), "bad-value", "receipt.reason"),
        ("the reason behind the acknowledgement", with_extra(delivered, reason), "trailing-bytes",
         "receipt"),
    ]


def spoilt(bodies, whole, makers, tools):
    coin = bodies["coin"]
    signed = [("coin", spoilt_coin(coin)),
              ("quote", spoilt_quote(bodies["quote"], whole["lines"], tools)),
              ("receipt", spoilt_receipts(bodies["delivered"], bodies["undelivered"])),
              ("refusal", [("the code of no reason", with_field(
                  bodies["refusal"], "reason", b"\0"), "bad-value", "refusal.reason")])]
    made = [("coin", spoilt_form(whole["coin"], coin)),
            ("payment", spoilt_payment(whole, tools)),
            ("admission", spoilt_admission(whole["admission"]))]
    return ([refused(kind, *case) for kind, cases in made for case in cases]
            + [refused(kind, comment, makers[kind](body), code, path)
               for kind, cases in signed for comment, body, code, path in cases])
