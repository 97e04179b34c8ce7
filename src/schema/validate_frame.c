/* Telling where in a batch something is wrong: the path of the column, and the row, found by going back
 * through the offsets of the lists and the positions in the structs around the value. */
#include "schema/validate_frame.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = STOA_ERROR_NAME_BYTES };

static void print_path(const struct stoa_frame *frame, char out[PATH_BYTES]) {
    if (frame->parent == NULL) {
        out[0] = '\0';
        return;
    }
    print_path(frame->parent, out);
    size_t length = strlen(out);
    if (frame->name == NULL) {
        (void)snprintf(out + length, PATH_BYTES - length, "[]");
    } else if (frame->name[0] != '\0') {
        (void)snprintf(out + length, PATH_BYTES - length, "%s%s", length == 0 ? "" : ".",
                       frame->name);
    }
}

int64_t stoa_frame_offset_at(const struct stoa_frame *list, int64_t row) {
    int64_t at = list->array->offset + row;
    switch (list->layout->kind) {
    case STOA_ARROW_FIXED_LIST: return at * list->layout->list_size;
    case STOA_ARROW_LARGE_LIST: return ((const int64_t *)list->array->buffers[1])[at];
    default: return ((const int32_t *)list->array->buffers[1])[at];
    }
}

/* The row of a list to which a value of its child belongs: the last that begins at or before it. */
int64_t stoa_frame_row_of_item(const struct stoa_frame *list, int64_t item) {
    int64_t low = 0;
    int64_t high = list->array->length;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (stoa_frame_offset_at(list, middle) <= item) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static int64_t row_of_batch(const struct stoa_frame *frame, int64_t row) {
    for (; frame->parent != NULL; frame = frame->parent) {
        const struct stoa_frame *parent = frame->parent;
        row = frame->has_row ? frame->row : row;
        bool list = parent->layout != NULL && parent->layout->kind != STOA_ARROW_STRUCT;
        row = list ? stoa_frame_row_of_item(parent, row) : row - parent->array->offset;
    }
    return row;
}

stoa_status stoa_frame_reject(const struct stoa_frame *frame, int64_t row, const char *expected,
                              const char *found) {
    char path[PATH_BYTES];
    print_path(frame, path);
    int64_t batch_row = row < 0 ? -1 : row_of_batch(frame, row);
    if (row < 0) {
        (void)stoa_fail(frame->err, STOA_INVALID, "column '%s': expected %s but found %s", path,
                        expected, found);
    } else {
        (void)stoa_fail(frame->err, STOA_INVALID,
                        "row %" PRId64 ", column '%s': expected %s but found %s", batch_row, path,
                        expected, found);
    }
    stoa_error_set_column(frame->err, frame->column_index, path);
    if (batch_row >= 0) {
        stoa_error_set_row(frame->err, batch_row);
    }
    return STOA_INVALID;
}

stoa_status stoa_frame_reject_null(const struct stoa_frame *frame, const struct stoa_node *node,
                                   int64_t row) {
    char expected[STOA_FOUND_BYTES];
    (void)snprintf(expected, sizeof expected, "%s not null",
                   stoa_type_describe(&node->field->type).text);
    return stoa_frame_reject(frame, row, expected, "null");
}
