/* Rows of cells: checked against their columns, and encoded as keys.
 *
 * A row has one cell a column in the order of the schema; with `keys_only` one a part of the key, in
 * the order of the key. */
#ifndef STOA_LSM_ROW_CELLS_H
#define STOA_LSM_ROW_CELLS_H

#include <stoa/state.h>

#include "lsm/key.h"

typedef enum stoa_cell_class {
    STOA_CELL_WHOLE, /* in `i` */
    STOA_CELL_FLOAT, /* in `f` */
    STOA_CELL_DOUBLE,
    STOA_CELL_DECIMAL, /* 16 bytes */
    STOA_CELL_FIXED,   /* `size` bytes */
    STOA_CELL_STRING,
    STOA_CELL_BINARY,
    STOA_CELL_NULL,  /* of a type that has nothing but nulls */
    STOA_CELL_NESTED /* rows of such columns come in batches */
} stoa_cell_class;

/* What a column asks of its cells, made ready so that a check costs next to nothing. */
typedef struct stoa_cell_rule {
    stoa_cell_class class;
    bool required;
    int64_t lower; /* whole numbers: the least value, and how far above it the greatest is */
    uint64_t span;
    __int128 bound; /* decimals: values are less, and greater than its negative */
    size_t size; /* bytes of a value in its column's buffer; 0: booleans and what has any length */
    const stoa_field *field;
} stoa_cell_rule;

void stoa_cell_rule_init(stoa_cell_rule *rule, const stoa_field *field);

/// What stoa_cell_rule_check leaves to a call: all but numbers that are there.
STOA_MUST_USE stoa_status stoa_cell_rule_check_any(const stoa_cell_rule *rule,
                                                   const stoa_cell *cell, stoa_error *err);

/// Errors   as stoa_cell_check, with the column's name
STOA_MUST_USE static inline stoa_status stoa_cell_rule_check(const stoa_cell_rule *rule,
                                                             const stoa_cell *cell,
                                                             stoa_error *err) {
    const bool is_whole = rule->class == STOA_CELL_WHOLE &&
                          (uint64_t)cell->i - (uint64_t)rule->lower <= rule->span;
    return !cell->is_null && (is_whole || rule->class == STOA_CELL_DOUBLE)
               ? STOA_OK
               : stoa_cell_rule_check_any(rule, cell, err);
}

/// The key of a row whose key is a number (stoa_key_format.is_number); its cells were checked.
uint64_t stoa_cells_number(const stoa_key_format *format, const stoa_cell *cells, bool keys_only);

/// Appends the bytes of a row's key, or of the keys that begin with its first `count` parts (0: no
/// bytes, as where a range has no end). Checks these cells.
///
/// Errors   as stoa_cell_rule_check; STOA_LIMIT  more than STOA_KEY_BYTES_MAX bytes; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_cells_key(const stoa_key_format *format, const stoa_cell *cells,
                                         bool keys_only, int32_t count, stoa_buffer *out,
                                         stoa_error *err);

#endif
