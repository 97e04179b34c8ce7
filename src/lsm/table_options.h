/* What is kept of a state table beside its rows: schema, key, merge operators, time to live, how it is
 * compacted. As text (JSON) in the manifest, and ready for use in memory. Immutable; counted. */
#ifndef STOA_LSM_TABLE_OPTIONS_H
#define STOA_LSM_TABLE_OPTIONS_H

#include <stdatomic.h>

#include <stoa/state.h>

#include "lsm/stripe.h"

typedef enum stoa_merge_operator {
    STOA_MERGE_LAST, /* the newest operand that is not null; any type */
    STOA_MERGE_ADD,  /* whole numbers, floats, decimals */
    STOA_MERGE_MIN,  /* types with an order: all but nested ones, intervals and unknown */
    STOA_MERGE_MAX,
    STOA_MERGE_APPEND, /* strings, binaries, lists: one after the other */
    STOA_MERGE_UNION,  /* lists of what has an order, as sets, in growing order */
    STOA_MERGE_PROGRAM /* what a stoa_cell holds: as min and max */
} stoa_merge_operator;

typedef struct stoa_definition {
    _Atomic int32_t references;
    stoa_arena arena; /* of what follows; its pool is the definition's */
    const stoa_schema *schema;
    stoa_key_format key;
    stoa_stripe_layout layout;
    stoa_merge_operator *operators; /* one a column; of the key's: LAST */
    const char **programs;          /* one a column: the name of the program's operator, or NULL */
    int32_t ttl_column;             /* a date or timestamp; -1: none */
    int64_t ttl_ms;                 /* 0 and more */
    stoa_compaction_style compaction;
    uint64_t fifo_bytes;
    const char *codec;   /* "none", "lz4", "zstd" */
    int32_t filter_bits; /* for each key; -1: no filter; never 0 */
} stoa_definition;

enum { STOA_FILTER_BITS_DEFAULT = 10, STOA_FILTER_BITS_MAX = 64 };

/// Names that are no plain words stand in "quotes" in `key` and `merge`.
///
/// Errors   STOA_INVALID      a text that says nothing of a column, or of one that cannot be that (with
///                            the byte in the text); a number out of range
///          STOA_UNSUPPORTED  a type that cannot be in a key; an operator that a type does not have
/// Owns     Keeps a reference to the schema. The caller releases `*out`.
STOA_MUST_USE stoa_status stoa_definition_create(stoa_pool *pool, const stoa_schema *schema,
                                                 const stoa_state_table_options *options,
                                                 stoa_definition **out, stoa_error *err);
/// The definition of the same table with another schema: its key, operators, time to live and storage, of
/// columns that are told by their ids. Those that are gone lose their operators.
///
/// Errors   STOA_INVALID      a column of the key or of the time to live is gone, or cannot be that
///          STOA_UNSUPPORTED  an operator that a column's new type does not have
STOA_MUST_USE stoa_status stoa_definition_alter(stoa_pool *pool, const stoa_definition *definition,
                                                const stoa_schema *schema, stoa_definition **out,
                                                stoa_error *err);
stoa_definition *stoa_definition_retain(stoa_definition *definition);
/// NULL is allowed.
void stoa_definition_release(stoa_definition *definition);

/// The schema with the columns that `key` ("user, ts desc") names required, as those of a key are.
///
/// Errors   STOA_INVALID  a text that says nothing of a column; STOA_NO_MEMORY
/// Owns     The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_schema_require_key(stoa_pool *pool, const stoa_schema *schema,
                                                  const char *key, const stoa_schema **out,
                                                  stoa_error *err);

/// As the manifest keeps it, in place of what `out` held: a zero stands behind it, not counted.
STOA_MUST_USE stoa_status stoa_definition_print(const stoa_definition *definition, stoa_buffer *out,
                                                stoa_error *err);
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED  (something newer, by its name)
STOA_MUST_USE stoa_status stoa_definition_parse(stoa_pool *pool, const char *text,
                                                stoa_definition **out, stoa_error *err);

/// When the time of a row with `value` (not null) in the column of the time to live comes, in milliseconds
/// since 1970 UTC; INT64_MAX: never.
int64_t stoa_definition_expiry_of(const stoa_definition *definition, int64_t value);
/// When a row's time comes, in milliseconds since 1970 UTC; INT64_MAX: never. Rows of `batch` in
/// canonical layout.
int64_t stoa_definition_expiry_ms(const stoa_definition *definition, const struct ArrowArray *batch,
                                  int64_t row);
/// Whether it has come at `now_ms`.
bool stoa_definition_is_expired(const stoa_definition *definition, const struct ArrowArray *batch,
                                int64_t row, int64_t now_ms);

#endif
