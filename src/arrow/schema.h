/* Making and copying struct ArrowSchema. All of one tree is one owner's: releasing the root releases
 * the rest. */
#ifndef STOA_ARROW_SCHEMA_H
#define STOA_ARROW_SCHEMA_H

#include <stoa/arrow.h>

#include "mem/pool.h"

/// A field with `child_count` children that are left released for the caller to fill.
STOA_MUST_USE stoa_status stoa_arrow_schema_init(stoa_pool *pool, const char *format,
                                                 const char *name, bool nullable,
                                                 int64_t child_count, struct ArrowSchema *out,
                                                 stoa_error *err);
STOA_MUST_USE stoa_status stoa_arrow_schema_copy(stoa_pool *pool, const struct ArrowSchema *source,
                                                 struct ArrowSchema *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_arrow_schema_rename(stoa_pool *pool, struct ArrowSchema *schema,
                                                   const char *name, stoa_error *err);
/// Puts an empty dictionary schema in place; the caller fills it.
STOA_MUST_USE stoa_status stoa_arrow_schema_add_dictionary(stoa_pool *pool,
                                                           struct ArrowSchema *schema,
                                                           stoa_error *err);
/// Key-value metadata, in the C data interface's own encoding.
STOA_MUST_USE stoa_status stoa_arrow_schema_set_metadata(stoa_pool *pool,
                                                         struct ArrowSchema *schema,
                                                         const char *const *keys,
                                                         const char *const *values, int32_t count,
                                                         stoa_error *err);
/// The same from a block in that encoding, such as another field's; NULL takes it away. Keys and
/// values may hold any bytes.
STOA_MUST_USE stoa_status stoa_arrow_schema_copy_metadata(stoa_pool *pool,
                                                          struct ArrowSchema *schema,
                                                          const char *metadata, stoa_error *err);
/// The value for a key, borrowed and not NUL-terminated; false when there is none.
bool stoa_arrow_metadata_find(const char *metadata, const char *key, const char **out_view,
                              int32_t *out_size);

/// Calls for every pair; metadata from outside is trusted to be as long as it says (the interface
/// carries no total).
typedef stoa_status (*stoa_metadata_function)(void *user, const char *key, int32_t key_size,
                                              const char *value, int32_t value_size,
                                              stoa_error *err);
STOA_MUST_USE stoa_status stoa_arrow_metadata_each(const char *metadata,
                                                   stoa_metadata_function function, void *user,
                                                   stoa_error *err);

/// True when two schemas describe the same type (format, children, dictionaries); names, flags and
/// metadata are compared where asked. Where they differ, `difference` (nullable) says so.
bool stoa_arrow_schema_equal(const struct ArrowSchema *left, const struct ArrowSchema *right,
                             bool with_names, stoa_error *difference);

#endif
