/* Where validation is: the way from the batch to a nested value, and how a failure there is told. */
#ifndef STOA_SCHEMA_VALIDATE_FRAME_H
#define STOA_SCHEMA_VALIDATE_FRAME_H

#include "schema/fit.h"

enum { STOA_FOUND_BYTES = 200 };

/* One step of the way from the batch to a nested value. */
struct stoa_frame {
    const struct stoa_frame *parent; /* NULL: the batch itself */
    const struct ArrowArray *array;
    const stoa_arrow_layout *layout;
    const char *name; /* of the field whose array this is; NULL: a list's element; "": a map's
                         entries, which are no step of the path */
    int32_t column_index;
    bool has_row; /* the values of a dictionary: whatever their index, it is `row` that uses them */
    int64_t row;
    stoa_error *err;
};

/* A column's node with all that the passes ask for. */
struct stoa_node {
    const stoa_field *field;
    const struct ArrowSchema *arrow;
    const struct ArrowArray *array;
    stoa_arrow_layout layout;
};

/// "row 17, column 'tags[]': expected X but found Y". `row` counts in the frame's own array and is
/// led back to the batch's; below 0 the failure is of the type, not of a value.
stoa_status stoa_frame_reject(const struct stoa_frame *frame, int64_t row, const char *expected,
                              const char *found);
stoa_status stoa_frame_reject_null(const struct stoa_frame *frame, const struct stoa_node *node,
                                   int64_t row);

/// The first item of a row of a list or map, and the row of an item: the last that begins at or
/// before it. The list's offsets rise.
int64_t stoa_frame_offset_at(const struct stoa_frame *list, int64_t row);
int64_t stoa_frame_row_of_item(const struct stoa_frame *list, int64_t item);

/// The first pass over a batch: every Arrow field finds its field of the struct `type`, and fits.
STOA_MUST_USE stoa_status stoa_validate_match(const struct stoa_frame *root, const stoa_type *type,
                                              const struct ArrowSchema *arrow);

#endif
