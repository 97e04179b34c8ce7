/* Matching of one part of a path against one part of a pattern. */
#ifndef STOA_VFS_GLOB_H
#define STOA_VFS_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/// True when all of `name` matches `pattern`, both without '/'. A '[' without its ']' stands for
/// itself here. Takes time in the product of the lengths at most.
bool stoa_glob_match(const char *pattern, size_t pattern_size, const char *name);

#endif
