# Digests by Python's hashlib and zlib: hexadecimal keys on standard input, one JSON array a line on standard output.
import hashlib, json, sys, zlib

for line in sys.stdin:
    key = bytes.fromhex(line.strip())
    md5 = hashlib.md5(key).digest()
    sha1 = hashlib.sha1(key).digest()
    crc = zlib.crc32(key)
    print(json.dumps([str(int.from_bytes(md5, "big")), str(int.from_bytes(md5[:4], "big")),
                      str(int.from_bytes(sha1, "big")), str(crc), str((crc >> 16) & 0x7FFF)]))
