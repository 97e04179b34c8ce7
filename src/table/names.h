/* Names of tables: which are allowed, when two are the same, and which one was probably meant. */
#ifndef STOA_TABLE_NAMES_H
#define STOA_TABLE_NAMES_H

#include "mem/pool.h"

enum { STOA_TABLE_NAME_BYTES_MAX = 255 };

/// Errors   STOA_INVALID  empty, longer than 255 bytes, not UTF-8, or with a control character
STOA_MUST_USE stoa_status stoa_table_name_check(const char *name, stoa_error *err);

/// The name with ASCII letters in lower case, by which names are compared. `out` has room for
/// STOA_TABLE_NAME_BYTES_MAX + 1 bytes; `name` was checked.
void stoa_table_name_fold(const char *name, char *out);

/// How many insertions, removals, replacements and swaps of neighbouring bytes turn one name into
/// the other, without regard to ASCII case; anything above `limit` is reported as `limit` + 1.
int32_t stoa_table_name_distance(const char *left, const char *right, int32_t limit);

#endif
