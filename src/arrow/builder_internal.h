/* What the builder's files share: the state of one node. See builder.c. */
#ifndef STOA_ARROW_BUILDER_INTERNAL_H
#define STOA_ARROW_BUILDER_INTERNAL_H

#include "arrow/builder.h"

/* How a node keeps its values; many kinds share one. */
enum storage {
    STORAGE_NONE,       /* null type: a count */
    STORAGE_BITS,       /* booleans */
    STORAGE_FIXED,      /* byte_width bytes a value; the indices of a dictionary too */
    STORAGE_BYTES,      /* offsets, bytes */
    STORAGE_VIEWS,      /* 16 bytes a value; `offsets` holds the bytes of the long ones */
    STORAGE_LIST,       /* offsets, one child */
    STORAGE_FIXED_LIST, /* one child */
    STORAGE_STRUCT      /* any number of children */
};

/* The values of a dictionary being built, and where to find them again. */
struct builder_dictionary {
    stoa_builder *values;
    stoa_buffer hashes;  /* uint64_t for each value */
    stoa_buffer slots;   /* int64_t: 1 + index of a value, 0 for a free slot */
    int64_t slot_count;  /* a power of two, or 0 before the first value */
};

struct stoa_builder {
    stoa_pool *pool;
    struct ArrowSchema own_schema; /* of the root only */
    const struct ArrowSchema *schema;
    stoa_arrow_layout layout;
    enum storage storage;
    int64_t length;
    int64_t null_count;
    stoa_buffer validity; /* empty until the first null */
    stoa_buffer values;
    stoa_buffer offsets; /* empty, or `length` + 1 of them */
    int64_t child_count;
    stoa_builder **children;
    struct builder_dictionary *dictionary;
};

/* "column 'price'", for messages. */
const char *builder_name(const stoa_builder *builder);

static inline bool builder_is_wide(const stoa_builder *builder) {
    return stoa_arrow_offset_bytes(builder->layout.kind) == 8;
}

/* An append is: make all room, write behind the end, then commit. Until the commit the builder
 * holds what it held, whatever was written behind its end. */

/* Writes `count` validity bits behind the end. */
stoa_status builder_put_validity(stoa_builder *builder, int64_t count, bool valid,
                                 stoa_error *err);
static inline void builder_commit(stoa_builder *builder, int64_t count, int64_t null_count) {
    builder->length += count;
    builder->null_count += null_count;
}
/* Makes sure that the first offset is there. */
stoa_status builder_put_first_offset(stoa_builder *builder, stoa_error *err);
/* Ends one value of bytes or items at `end`, which must fit the offsets. */
stoa_status builder_put_offset(stoa_builder *builder, int64_t end, stoa_error *err);
/* Where the last value ends. */
int64_t builder_last_offset(const stoa_builder *builder);
/* The values buffer cut to `length` values, so that writing starts behind the last one even after
 * an append that failed half-way. */
void builder_trim(stoa_builder *builder);
stoa_status builder_check_offset(const stoa_builder *builder, int64_t end, stoa_error *err);

stoa_status builder_dictionary_create(stoa_builder *builder, stoa_error *err);
void builder_dictionary_close(stoa_builder *builder);
void builder_dictionary_clear(stoa_builder *builder);
/* Gives the value just appended to the dictionary's values its index (an earlier one's where it is
 * not new) and writes that. */
stoa_status builder_dictionary_intern(stoa_builder *builder, stoa_error *err);
stoa_status builder_dictionary_put_index(stoa_builder *builder, int64_t index, stoa_error *err);
/* The same as stoa_builder_append_array and builder_append_gather, for a dictionary. `indices` NULL
 * means offset, offset + 1, … */
stoa_status builder_dictionary_append(stoa_builder *builder, const struct ArrowArray *source,
                                      const int64_t *indices, int64_t offset, int64_t count,
                                      stoa_error *err);

/* Values indices[i] of `source` (-1: null); the caller has checked their range. */
stoa_status builder_append_gather(stoa_builder *builder, const struct ArrowArray *source,
                                  const int64_t *indices, int64_t count, stoa_error *err);

#endif
