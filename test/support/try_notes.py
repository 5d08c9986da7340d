"""Reads the notes of a JSON list (on stdin: notes, a verifier key as C2SP writes it) with the Python verifier's own code.

Prints for each how many have signed it with that key: a number, null where it signed something else, "malformed" where it is no note.
"""

import base64
import json
import sys

sys.path.insert(0, sys.argv[1])
import msgpack
import notes
import signatures

signatures.choose(sys.argv[2])
SPKI_OF_ED25519 = bytes.fromhex("302a300506032b6570032100")
given = json.load(sys.stdin)
name, _, key = given["key"].split("+", 2)
raw = base64.b64decode(key)
assert raw[0] == 1, "the key is Ed25519's"
public = signatures.PublicKey("any", SPKI_OF_ED25519 + raw[1:])
answers = []
for text in given["notes"]:
    try:
        answers.append(notes.Note(text.encode()).signers(name, [public]))
    except msgpack.Malformed:
        answers.append("malformed")
print(json.dumps({"id": notes.note_key_id(name, public).hex(), "answers": answers}))
