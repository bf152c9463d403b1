"""SipHash-2-4, TensorFlow's keyed hash of strings."""


def keyed_hash(text: str, key: tuple[int, int]) -> int:
    """SipHash-2-4 of a string's UTF-8 bytes, a number below 2**64."""
    whole = 2**64 - 1
    data = text.encode()
    data += bytes(-(len(data) + 1) % 8) + bytes([len(data) % 256])
    a, b = key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D
    c, d = key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573

    def rotate(x: int, count: int) -> int:
        return (x << count | x >> (64 - count)) & whole

    def turn(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
        a = a + b & whole
        b = rotate(b, 13) ^ a
        c = c + d & whole
        d = rotate(d, 16) ^ c
        a = rotate(a, 32) + d & whole
        d = rotate(d, 21) ^ a
        c = c + b & whole
        b = rotate(b, 17) ^ c
        return a, b, rotate(c, 32), d

    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        a, b, c, d = turn(*turn(a, b, c, d ^ word))
        a ^= word
    c ^= 0xFF
    for _ in range(4):
        a, b, c, d = turn(a, b, c, d)
    return a ^ b ^ c ^ d
