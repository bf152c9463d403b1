"""FarmHash's 64-bit fingerprint, TensorFlow's hash of strings."""


def fingerprint(text: str) -> int:
    """FarmHash's Fingerprint64 of a string's UTF-8 bytes, a number below 2**64."""
    data = text.encode()
    k0, k1, k2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
    whole = 2**64 - 1
    size = len(data)

    def fetch(start: int, count: int = 8) -> int:
        return int.from_bytes(data[start : start + count], "little")

    def rotate(x: int, count: int) -> int:
        x &= whole
        return (x >> count | x << (64 - count)) & whole

    def mix(x: int) -> int:
        return x ^ x >> 47

    def pair(u: int, v: int, factor: int) -> int:
        a = mix((u ^ v) * factor & whole)
        b = mix((v ^ a) * factor & whole)
        return b * factor & whole

    if size <= 16:
        factor = k2 + 2 * size
        if size >= 8:
            a, b = fetch(0) + k2, fetch(size - 8)
            c = rotate(b, 37) * factor + a
            d = (rotate(a, 25) + b) * factor
            return pair(c & whole, d & whole, factor)
        if size >= 4:
            return pair(size + (fetch(0, 4) << 3), fetch(size - 4, 4), factor)
        if size == 0:
            return k2
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return mix((y * k2 ^ z * k0) & whole) * k2 & whole
    if size <= 32:
        factor = k2 + 2 * size
        a, b = fetch(0) * k1, fetch(8)
        c, d = fetch(size - 8) * factor, fetch(size - 16) * k2
        u = rotate(a + b, 43) + rotate(c, 30) + d
        t = a + rotate(b + k2, 18) + c
        return pair(u & whole, t & whole, factor)
    if size <= 64:
        factor = k2 + 2 * size
        a, b = fetch(0) * k2 & whole, fetch(8)
        c, d = fetch(size - 8) * factor & whole, fetch(size - 16) * k2 & whole
        y = rotate(a + b, 43) + rotate(c, 30) + d & whole
        z = pair(y, a + rotate(b + k2, 18) + c & whole, factor)
        e, f = fetch(16) * factor & whole, fetch(24)
        g, h = (
            (y + fetch(size - 32)) * factor & whole,
            (z + fetch(size - 24)) * factor & whole,
        )
        u = rotate(e + f, 43) + rotate(g, 30) + h
        return pair(u & whole, e + rotate(f + a, 18) + g & whole, factor)

    def weak(start: int, a: int, b: int) -> tuple[int, int]:
        w, x, y, z = (fetch(start + 8 * i) for i in range(4))
        a += w
        b = rotate(b + a + z, 21)
        c = a
        a += x + y
        b += rotate(a, 44)
        return a + z & whole, b + c & whole

    seed = 81
    x, y = seed, (seed * k1 + 113) & whole
    z = mix(y * k2 + 113 & whole) * k2 & whole
    v, w = (0, 0), (0, 0)
    x = (x * k2 + fetch(0)) & whole
    for start in range(0, (size - 1) // 64 * 64, 64):
        x = rotate(x + y + v[0] + fetch(start + 8), 37) * k1 & whole
        y = rotate(y + v[1] + fetch(start + 48), 42) * k1 & whole
        x ^= w[1]
        y = y + v[0] + fetch(start + 40) & whole
        z = rotate(z + w[0], 33) * k1 & whole
        v = weak(start, v[1] * k1 & whole, x + w[0] & whole)
        w = weak(start + 32, z + w[1] & whole, y + fetch(start + 16) & whole)
        z, x = x, z
    factor = k1 + ((z & 0xFF) << 1)
    start = size - 64
    w = (w[0] + ((size - 1) & 63) & whole, w[1])
    v = (v[0] + w[0] & whole, v[1])
    w = (w[0] + v[0] & whole, w[1])
    x = rotate(x + y + v[0] + fetch(start + 8), 37) * factor & whole
    y = rotate(y + v[1] + fetch(start + 48), 42) * factor & whole
    x ^= w[1] * 9 & whole
    y = y + v[0] * 9 + fetch(start + 40) & whole
    z = rotate(z + w[0], 33) * factor & whole
    v = weak(start, v[1] * factor & whole, x + w[0] & whole)
    w = weak(start + 32, z + w[1] & whole, y + fetch(start + 16) & whole)
    z, x = x, z
    first = pair(v[0], w[0], factor) + mix(y) * k0 + z
    return pair(first & whole, pair(v[1], w[1], factor) + x & whole, factor)
