// Python 3.8's headers include it and our core uses nothing of it; Zig's C library has none.
