/* Matching of one part of a path against one part of a pattern. */
#ifndef STOA_VFS_GLOB_H
#define STOA_VFS_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// True when all of `name` matches `pattern`, both without '/'. A '[' without its ']' stands for
/// itself here. Takes time in the product of the lengths at most.
bool stoa_glob_match(const char *pattern, size_t pattern_size, const char *name);

enum { STOA_GLOB_PARTS_MAX = 64 };

/// A part of a pattern, between two '/'; "**" stands for any number of directories that are not
/// hidden.
typedef struct stoa_glob_part {
    const char *text;
    size_t size;
} stoa_glob_part;

bool stoa_glob_is_double_star(const stoa_glob_part *part);

/// True when all of `path`, a file's, matches all parts (at most STOA_GLOB_PARTS_MAX - 1). A "**" at
/// the end is "**" and "*". Takes time in the product of the lengths at most.
bool stoa_glob_match_path(const stoa_glob_part *parts, size_t count, const char *path);

#endif
