/* How an Arrow field fits a field of a schema: not at all, as it lies, or after a conversion that
 * loses nothing. Shared by validation, which judges, and conform, which converts. */
#ifndef STOA_SCHEMA_FIT_H
#define STOA_SCHEMA_FIT_H

#include "arrow/layout.h"
#include "schema/internal.h"

typedef enum stoa_fit {
    STOA_FIT_NONE,
    STOA_FIT_SAME,   /* this node lies as the canonical layout does (its children may not) */
    STOA_FIT_CONVERT /* a twin in another layout, or a narrower type */
} stoa_fit;

/// Arrow's canonical extension types that mean another type than their storage does. All others
/// are read as their storage.
typedef enum stoa_extension {
    STOA_EXTENSION_NONE,
    STOA_EXTENSION_UUID, /* arrow.uuid: 16 bytes */
    STOA_EXTENSION_BOOL8 /* arrow.bool8: int8, 0 is false */
} stoa_extension;

stoa_extension stoa_arrow_extension(const struct ArrowSchema *arrow);

/// Of a node that is not dictionary-encoded; children are not looked at.
stoa_fit stoa_fit_node(const stoa_type *type, const stoa_arrow_layout *layout,
                       stoa_extension extension);

/// Which child of an Arrow struct is field `index` of a struct type: exactly by name, else without
/// regard to case when that is unambiguous on both sides, else -1.
int64_t stoa_fit_child(const stoa_type *type, int32_t index, const struct ArrowSchema *arrow);

/// How much the source's values are multiplied by: timestamps, durations and times by the ratio of
/// units, dates that become timestamps by the units of a day, 1 for others.
int64_t stoa_fit_unit_factor(const stoa_type *type, const stoa_arrow_layout *layout);

/// The type of an Arrow field that has no children and no dictionary.
///
/// Errors   STOA_UNSUPPORTED
STOA_MUST_USE stoa_status stoa_type_from_layout(const struct ArrowSchema *arrow,
                                                const stoa_arrow_layout *layout,
                                                stoa_extension extension, stoa_type *out,
                                                stoa_error *err);

/// A struct that is seen through a map's single child. Its fields are taken by position.
static inline const struct ArrowSchema *stoa_arrow_entries(const struct ArrowSchema *map) {
    return map->children[0];
}

/// True when the array may have nulls, that is, when its validity bitmap must be asked.
static inline bool stoa_array_has_validity(const struct ArrowArray *array) {
    return array->null_count != 0 && array->n_buffers > 0 && array->buffers[0] != NULL;
}

#endif
