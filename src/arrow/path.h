/* Where in a tree of fields a message points: "orders.items.price", built only when it is needed. */
#ifndef STOA_ARROW_PATH_H
#define STOA_ARROW_PATH_H

#include <stdio.h>
#include <string.h>

#include <stoa/arrow.h>

#include "base/error.h"

struct path {
    const struct path *parent; /* NULL for the root */
    const struct ArrowSchema *schema;
    int32_t column_index; /* of the column that this stands in; -1 at the root */
};

static inline struct path path_child(const struct path *parent, const struct ArrowSchema *schema,
                                     int64_t index) {
    return (struct path){parent, schema,
                         parent->parent == NULL ? (int32_t)index : parent->column_index};
}

/* The root has a name only where it is no batch. */
static inline void path_text(const struct path *path, char out[STOA_ERROR_NAME_BYTES]) {
    const char *name = path->schema->name == NULL ? "" : path->schema->name;
    if (path->parent == NULL) {
        (void)snprintf(out, STOA_ERROR_NAME_BYTES, "%s", name);
        return;
    }
    path_text(path->parent, out);
    size_t size = path->parent->parent == NULL ? 0 : strlen(out);
    (void)snprintf(out + size, STOA_ERROR_NAME_BYTES - size, "%s%s", size > 0 ? "." : "", name);
}

/* Records row (-1: none) and column in an error that was just made. */
static inline void path_locate(const struct path *path, int64_t row, stoa_error *err) {
    char name[STOA_ERROR_NAME_BYTES];
    path_text(path, name);
    stoa_error_set_column(err, path->column_index, name);
    stoa_error_set_row(err, row);
}

#endif
