/* What is kept of a state table beside its rows: schema, key, merge operators, time to live, how it is
 * compacted. As text (JSON) in the manifest, and ready for use in memory. Immutable; counted. */
#ifndef STOA_LSM_TABLE_OPTIONS_H
#define STOA_LSM_TABLE_OPTIONS_H

#include <stdatomic.h>

#include <stoa/state.h>

#include "lsm/stripe.h"

typedef enum stoa_merge_operator {
    STOA_MERGE_LAST, /* the newest operand that is not null */
    STOA_MERGE_ADD,
    STOA_MERGE_MIN,
    STOA_MERGE_MAX,
    STOA_MERGE_APPEND, /* strings, binaries, lists: one after the other */
    STOA_MERGE_UNION,  /* lists as sets, in growing order */
    STOA_MERGE_PROGRAM
} stoa_merge_operator;

typedef struct stoa_definition {
    _Atomic int32_t references;
    stoa_arena arena; /* of what follows */
    const stoa_schema *schema;
    stoa_key_format key;
    stoa_stripe_layout layout;
    stoa_merge_operator *operators; /* one a column; of the key's: LAST */
    const char **programs;          /* one a column: the name of the program's operator, or NULL */
    int32_t ttl_column;             /* -1: none */
    int64_t ttl_ms;
    stoa_compaction_style compaction;
    uint64_t fifo_bytes;
    const char *codec; /* "none", "lz4", "zstd" */
    int32_t filter_bits;
} stoa_definition;

/// Errors   STOA_INVALID      a text that says nothing of a column, or of one that cannot be that (with
///                            the byte in the text)
///          STOA_UNSUPPORTED  a type that cannot be in a key; an operator that a type does not have
STOA_MUST_USE stoa_status stoa_definition_create(stoa_pool *pool, const stoa_schema *schema,
                                                 const stoa_state_table_options *options,
                                                 stoa_definition **out, stoa_error *err);
stoa_definition *stoa_definition_retain(stoa_definition *definition);
void stoa_definition_release(stoa_definition *definition);

/// As the manifest keeps it: ends with a zero.
STOA_MUST_USE stoa_status stoa_definition_print(const stoa_definition *definition, stoa_buffer *out,
                                                stoa_error *err);
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED  (something newer)
STOA_MUST_USE stoa_status stoa_definition_parse(stoa_pool *pool, const char *text,
                                                stoa_definition **out, stoa_error *err);

/// Whether a row's time has come, at `now_ms`. Rows of `batch` in canonical layout.
bool stoa_definition_is_expired(const stoa_definition *definition, const struct ArrowArray *batch,
                                int64_t row, int64_t now_ms);

#endif
