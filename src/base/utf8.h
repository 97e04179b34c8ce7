/* UTF-8 as Unicode defines it: shortest form, no surrogates, at most U+10FFFF. */
#ifndef STOA_BASE_UTF8_H
#define STOA_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// True when all of `bytes` is UTF-8. On false, `*bad_offset` (nullable) is where the first
/// sequence that is not begins.
bool stoa_utf8_valid(const void *bytes, size_t size, size_t *bad_offset);

/// After a printing that filled all `capacity` bytes of `text` (its NUL among them) the last
/// character may be cut in two, which a terminal or a JSON writer would refuse: takes it away.
void stoa_utf8_cut(char *text, size_t capacity);

#endif
