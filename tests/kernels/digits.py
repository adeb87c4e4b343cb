"""Kernels with fifty digits, written anew from their definitions."""

import mpmath as mp

__all__ = ["bessel", "layered"]


def layered(kind, x, y, depth, bias):
    """k(x, y) of arc-cosine kernels (their order as kind) and of the neural tangent kernel."""
    with mp.workdps(50):
        x, y = ([mp.mpf(float(v)) for v in p] for p in (x, y))
        b = mp.mpf(bias) ** 2
        cross, left, right = (mp.fdot(p, q) + b for p, q in ((x, y), (x, x), (y, y)))
        total = cross
        for layer in range(depth):
            if layer and kind != "ntk":
                cross, left, right = cross + b, left + b, right + b
            cosine = cross / mp.sqrt(left * right) if left * right else mp.mpf(0)
            cosine = max(min(cosine, mp.mpf(1)), mp.mpf(-1))
            angle = mp.acos(cosine)
            steps = 1 - angle / mp.pi
            ramps = mp.sqrt(left * right) * (mp.sin(angle) + (mp.pi - angle) * cosine) / mp.pi
            if kind == "ntk":
                cross, left, right = ramps + b, left + b, right + b
                total = cross + total * steps
            elif kind == 0:
                left, right = (mp.mpf(1) if h else mp.mpf("0.5") for h in (left, right))
                cross = steps
            elif kind == 1:
                cross = ramps
            else:
                squares = 3 * mp.sin(angle) * cosine + (mp.pi - angle) * (1 + 2 * cosine**2)
                cross = left * right * squares / mp.pi
                left, right = 3 * left**2, 3 * right**2
        return float(total if kind == "ntk" else cross)


def bessel(nu, r):
    """The Matérn correlation of the distance r, for the length scale 1."""
    with mp.workdps(50):
        nu, z = mp.mpf(nu), mp.sqrt(2 * mp.mpf(nu)) * mp.mpf(r)
        return float(2 ** (1 - nu) / mp.gamma(nu) * z**nu * mp.besselk(nu, z))
