/* Cells, the values that programs give and get one by one, and columns. */
#ifndef STOA_LSM_CELL_H
#define STOA_LSM_CELL_H

#include <stoa/schema.h>
#include <stoa/state.h>

#include "arrow/builder.h"

/// Value `row` of an array in the canonical layout of a primitive type; bytes are borrowed from it.
void stoa_cell_from_array(const stoa_type *type, const struct ArrowArray *array, int64_t row,
                          stoa_cell *out);

/// Whether a cell is a value of a field: not null where it is required, within the type's range, as
/// many bytes as the type has, UTF-8.
///
/// Errors   STOA_INVALID  expected and found, without the column's name
///          STOA_UNSUPPORTED  the type is nested
///          STOA_LIMIT    2 GiB of bytes or more
STOA_MUST_USE stoa_status stoa_cell_check(const stoa_field *field, const stoa_cell *cell,
                                          stoa_error *err);

/// Appends a cell that was checked to a builder of the field's type.
STOA_MUST_USE stoa_status stoa_cell_append(stoa_builder *builder, const stoa_field *field,
                                           const stoa_cell *cell, stoa_error *err);

#endif
