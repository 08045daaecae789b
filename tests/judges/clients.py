"""The providers' own clients against our emulator. Reads {"url", "account", "token", "plivo"} and the
numbers for each error; prints what each client made of it."""
import json
import sys

import plivo.rest.client
import telnyx
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

asked = json.load(sys.stdin)
url, token, ours = asked["url"], asked["token"], asked["ours"]
errors = asked["errors"]


def by_twilio():
    client = Client(asked["account"], token)
    client.api.base_url = url

    def error(number=None, **other):
        fields = {"to": number, "from_": ours, "body": "hello"} | other
        try:
            client.messages.create(**fields)
        except TwilioRestException as why:
            return [why.status, why.code]
        return None

    callback = "https://carom.example/status?message=m.1"
    made = client.messages.create(
        to=asked["to"], from_=ours, body="é" * 161, status_callback=callback, validity_period=900
    )
    for _ in range(4):
        client.messages.create(to=asked["other"], from_=ours, body="hello")
    seen = client.messages(made.sid).fetch()
    try:
        client.messages("SM" + "f" * 32).fetch()
        unknown = None
    except TwilioRestException as why:
        unknown = [why.status, why.code]
    stranger = Client(asked["account"], "wrong")
    stranger.api.base_url = url
    try:
        stranger.messages.create(to=asked["to"], from_=ours, body="hello")
        wrong = None
    except TwilioRestException as why:
        wrong = [why.status, why.code]
    return {
        "made": [made.status, made.num_segments, made.to, made.from_, made.direction, made.error_code],
        "dated": made.date_created.tzinfo is not None,
        "seen": seen.sid == made.sid and seen.body == "é" * 161,
        "to_one": [one.sid for one in client.messages.list(to=asked["to"])] == [made.sid],
        # Over pages.
        "to_other": len(client.messages.list(to=asked["other"], page_size=3)),
        "all": len(client.messages.list(page_size=2)),
        "unknown": unknown,
        "wrong": wrong,
        "errors": {name: error(number) for name, number in errors.items()},
        "no_sender": error(asked["to"], from_=None),
        "no_body": error(asked["to"], body=None),
        "no_number": error("not a number"),
        "long": error(asked["to"], body="x" * 1601),
    }


def by_telnyx():
    def client(key):
        return telnyx.Telnyx(api_key=key, base_url=url + "/v2", max_retries=0)

    def error(number, key=token):
        try:
            client(key).messages.send(to=number, from_=ours, text="hello")
        except telnyx.APIStatusError as why:
            return [type(why).__name__, why.status_code, why.body["errors"][0]["code"]]
        return None

    made = client(token).messages.send(to=asked["to"], from_=ours, text="hello").data
    seen = client(token).messages.retrieve(made.id).data
    line = client(token).number_lookup.retrieve(asked["landline"], type="carrier").data
    return {
        "looked_up": [line.phone_number, line.carrier.type, line.carrier.error_code],
        "made": [made.to[0].status, made.parts, made.to[0].phone_number, made.to[0].line_type],
        "seen": [seen.id == made.id, seen.direction],
        "wrong": error(asked["to"], "wrong"),
        "errors": {name: error(number) for name, number in errors.items()},
    }


def by_plivo():
    plivo.rest.client.PLIVO_API_BASE_URI = url + "/v1/Account"

    def client(key):
        return plivo.RestClient(asked["plivo"], key)

    def error(number, key=token):
        try:
            client(key).messages.create(src=ours, dst=number, text="hello")
        except plivo.exceptions.PlivoRestError as why:
            return type(why).__name__
        return None

    made = client(token).messages.create(src=ours, dst=asked["to"], text="hello")
    seen = client(token).messages.get(made.message_uuid[0])
    return {
        "made": len(made.message_uuid),
        "seen": [seen.message_state, seen.units, seen.to_number],
        "all": len(client(token).messages.list().objects),
        "wrong": error(asked["to"], "wrong"),
        "errors": {name: error(number) for name, number in errors.items()},
    }


print(json.dumps({"twilio": by_twilio(), "telnyx": by_telnyx(), "plivo": by_plivo()}))
