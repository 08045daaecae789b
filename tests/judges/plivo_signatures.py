"""Plivo's own SDK on signatures of ours, and its V3 signatures of the same requests.

Reads {"cases": [{"token", "url", "form": [[name, value]], "nonce", "v2", "v3"}]}, writes
[{"v2", "v3", "signature"}]: what it believes, and its own V3. It signs no V2.
"""

import json
import sys

from plivo.utils import validate_signature, validate_v3_signature
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3

told = json.load(sys.stdin)
answers = []
for case in told["cases"]:
    token, url, nonce = case["token"], case["url"], case["nonce"]
    # A form as web frameworks hand it over: a name that comes more than once has a list.
    form = {}
    for name, value in case["form"]:
        form.setdefault(name, []).append(value)
    form = {name: values if len(values) > 1 else values[0] for name, values in form.items()}
    signed = construct_post_url(url, form).decode()
    answers.append(
        {
            "v2": validate_signature(url, nonce, case["v2"], token),
            "v3": validate_v3_signature("POST", url, nonce, token, case["v3"], form),
            "signature": get_signature_v3(token.encode(), signed, nonce.encode()).decode(),
        }
    )
json.dump(answers, sys.stdout)
