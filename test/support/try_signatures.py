"""Verifies each case of test/vectors/signatures.json (on stdin) with the Python verifier's own code; prints the list of answers."""

import json
import sys

sys.path.insert(0, sys.argv[1])
import signatures

signatures.choose(sys.argv[2])
answers = []
for case in json.load(sys.stdin)["cases"]:
    try:
        key = signatures.PublicKey("any", bytes.fromhex(case["spki"]))
    except ValueError:
        answers.append(False)  # a key that is refused before anything is signed by it
        continue
    answers.append(key.verify(bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])))
print(json.dumps(answers))
