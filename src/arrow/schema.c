/* Schemas as trees that one owner frees.
 *
 * Each node carries a `struct owner` in private_data: its copied texts and the array that its
 * children lie in. A child can be moved out of its parent, as the interface allows: it is then
 * released in place and its new holder releases it.
 *
 * Metadata is one block: int32 number of pairs, then for each pair int32 length and bytes of the
 * key, the same of the value. It carries no total length, so what comes from outside is believed,
 * except that a negative length ends it with STOA_INVALID.
 *
 * Source   Apache Arrow, "The Arrow C data interface", "The ArrowSchema structure" */
#include "arrow/schema.h"

#include <string.h>

#include "arrow/layout.h"
#include "base/bytes.h"
#include "base/checked.h"

struct owner {
    stoa_pool *pool;
    char *format;
    char *name;
    char *metadata;
    size_t metadata_bytes;
    int64_t child_count;
    struct ArrowSchema **pointers;
    struct ArrowSchema *children;
    struct ArrowSchema *dictionary;
};

void stoa_arrow_schema_release(struct ArrowSchema *schema) {
    if (schema != NULL && schema->release != NULL) {
        schema->release(schema);
        schema->release = NULL;
    }
}

static void schema_release(struct ArrowSchema *schema) {
    struct owner *owner = schema->private_data;
    stoa_pool *pool = owner->pool;
    size_t count = (size_t)owner->child_count;
    for (size_t i = 0; i < count; i++) {
        stoa_arrow_schema_release(&owner->children[i]);
    }
    stoa_pool_free(pool, owner->children, count * sizeof(struct ArrowSchema));
    stoa_pool_free(pool, owner->pointers, count * sizeof(struct ArrowSchema *));
    stoa_arrow_schema_release(owner->dictionary);
    stoa_pool_free(pool, owner->dictionary, sizeof(struct ArrowSchema));
    stoa_pool_free(pool, owner->metadata, owner->metadata_bytes);
    stoa_pool_free_string(pool, owner->format);
    stoa_pool_free_string(pool, owner->name);
    stoa_pool_free(pool, owner, sizeof *owner);
    *schema = (struct ArrowSchema){0};
}

static stoa_status children_allocate(struct owner *owner, int64_t count, stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(owner->pool, (size_t)count, sizeof(struct ArrowSchema),
                                      &memory, err));
    owner->children = memory;
    owner->child_count = count;
    STOA_TRY(stoa_pool_allocate_array(owner->pool, (size_t)count, sizeof(struct ArrowSchema *),
                                      &memory, err));
    owner->pointers = memory;
    for (int64_t i = 0; i < count; i++) {
        owner->pointers[i] = &owner->children[i];
    }
    return STOA_OK;
}

stoa_status stoa_arrow_schema_init(stoa_pool *pool, const char *format, const char *name,
                                   bool nullable, int64_t child_count, struct ArrowSchema *out,
                                   stoa_error *err) {
    STOA_ASSERT(child_count >= 0);
    *out = (struct ArrowSchema){0};
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct owner), &memory, err));
    struct owner *owner = memory;
    owner->pool = pool;
    out->private_data = owner;
    out->release = schema_release;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_copy_string(pool, format, &owner->format, err));
    STOA_CHECK(stoa_pool_copy_string(pool, name == NULL ? "" : name, &owner->name, err));
    STOA_CHECK(children_allocate(owner, child_count, err));
    out->format = owner->format;
    out->name = owner->name;
    out->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
    out->n_children = child_count;
    out->children = owner->pointers;

done:
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

/* Size of a metadata block, or -1 when it contradicts itself. */
static int64_t metadata_bytes(const char *metadata) {
    int32_t count = stoa_load_i32(metadata);
    int64_t bytes = 4;
    for (int64_t i = 0; i < (int64_t)count * 2; i++) {
        int32_t size = stoa_load_i32(metadata + bytes);
        if (size < 0) {
            return -1;
        }
        bytes += 4 + (int64_t)size;
    }
    return count < 0 ? -1 : bytes;
}

static stoa_status metadata_copy(struct ArrowSchema *target, const char *metadata,
                                 stoa_error *err) {
    struct owner *owner = target->private_data;
    int64_t bytes = metadata == NULL ? 0 : metadata_bytes(metadata);
    if (bytes < 0) {
        return stoa_fail(err, STOA_INVALID, "field '%s': its metadata has a negative length",
                         target->name);
    }
    void *memory = NULL;
    if (bytes > 0) {
        STOA_TRY(stoa_pool_allocate(owner->pool, (size_t)bytes, &memory, err));
        memcpy(memory, metadata, (size_t)bytes);
    }
    stoa_pool_free(owner->pool, owner->metadata, owner->metadata_bytes);
    owner->metadata = memory;
    owner->metadata_bytes = (size_t)bytes;
    target->metadata = owner->metadata;
    return STOA_OK;
}

static stoa_status dictionary_allocate(struct ArrowSchema *schema, stoa_error *err) {
    struct owner *owner = schema->private_data;
    STOA_ASSERT(owner->dictionary == NULL);
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(owner->pool, 1, sizeof(struct ArrowSchema), &memory, err));
    owner->dictionary = memory;
    schema->dictionary = memory;
    return STOA_OK;
}

static stoa_status copy_node(stoa_pool *pool, const struct ArrowSchema *source, int depth,
                             struct ArrowSchema *out, stoa_error *err) {
    *out = (struct ArrowSchema){0};
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    stoa_arrow_layout layout;
    STOA_TRY(stoa_arrow_layout_parse(source, &layout, err));
    STOA_TRY(stoa_arrow_schema_init(pool, source->format, source->name, false, source->n_children,
                                    out, err));
    out->flags = source->flags;
    stoa_status status = STOA_OK;
    STOA_CHECK(metadata_copy(out, source->metadata, err));
    for (int64_t i = 0; i < source->n_children; i++) {
        STOA_CHECK(copy_node(pool, source->children[i], depth + 1, out->children[i], err));
    }
    if (source->dictionary != NULL) {
        STOA_CHECK(dictionary_allocate(out, err));
        STOA_CHECK(copy_node(pool, source->dictionary, depth + 1, out->dictionary, err));
    }

done:
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

stoa_status stoa_arrow_schema_copy(stoa_pool *pool, const struct ArrowSchema *source,
                                   struct ArrowSchema *out, stoa_error *err) {
    return copy_node(pool, source, 0, out, err);
}

/* A schema of somebody else's cannot be changed in place: it is replaced by a copy of ours. */
static stoa_status schema_own(stoa_pool *pool, struct ArrowSchema *schema, stoa_error *err) {
    if (schema->release == schema_release) {
        return STOA_OK;
    }
    struct ArrowSchema copy;
    STOA_TRY(stoa_arrow_schema_copy(pool, schema, &copy, err));
    stoa_arrow_schema_release(schema);
    *schema = copy;
    return STOA_OK;
}

stoa_status stoa_arrow_schema_rename(stoa_pool *pool, struct ArrowSchema *schema, const char *name,
                                     stoa_error *err) {
    STOA_TRY(schema_own(pool, schema, err));
    struct owner *owner = schema->private_data;
    char *copy;
    STOA_TRY(stoa_pool_copy_string(owner->pool, name, &copy, err));
    stoa_pool_free_string(owner->pool, owner->name);
    owner->name = copy;
    schema->name = copy;
    return STOA_OK;
}

stoa_status stoa_arrow_schema_add_dictionary(stoa_pool *pool, struct ArrowSchema *schema,
                                             stoa_error *err) {
    STOA_TRY(schema_own(pool, schema, err));
    return dictionary_allocate(schema, err);
}

static stoa_status metadata_measure(const char *const *keys, const char *const *values,
                                    int32_t count, size_t *out, stoa_error *err) {
    *out = 4;
    for (int32_t i = 0; i < count; i++) {
        size_t key_size = strlen(keys[i]);
        size_t value_size = strlen(values[i]);
        if (key_size > INT32_MAX || value_size > INT32_MAX) {
            return stoa_fail(err, STOA_LIMIT, "metadata of %zu bytes: a value holds at most 2 GiB",
                             key_size > value_size ? key_size : value_size);
        }
        *out += 8 + key_size + value_size;
    }
    return STOA_OK;
}

static char *metadata_put(char *at, const char *text) {
    size_t size = strlen(text);
    stoa_store_u32(at, (uint32_t)size);
    memcpy(at + 4, text, size);
    return at + 4 + size;
}

stoa_status stoa_arrow_schema_set_metadata(stoa_pool *pool, struct ArrowSchema *schema,
                                           const char *const *keys, const char *const *values,
                                           int32_t count, stoa_error *err) {
    STOA_ASSERT(count >= 0);
    STOA_TRY(schema_own(pool, schema, err));
    struct owner *owner = schema->private_data;
    size_t bytes;
    STOA_TRY(metadata_measure(keys, values, count, &bytes, err));
    void *memory = NULL;
    if (count > 0) {
        STOA_TRY(stoa_pool_allocate(owner->pool, bytes, &memory, err));
        char *at = memory;
        stoa_store_u32(at, (uint32_t)count);
        at += 4;
        for (int32_t i = 0; i < count; i++) {
            at = metadata_put(at, keys[i]);
            at = metadata_put(at, values[i]);
        }
        STOA_ASSERT((size_t)(at - (char *)memory) == bytes);
    }
    stoa_pool_free(owner->pool, owner->metadata, owner->metadata_bytes);
    owner->metadata = memory;
    owner->metadata_bytes = memory == NULL ? 0 : bytes;
    schema->metadata = owner->metadata;
    return STOA_OK;
}

stoa_status stoa_arrow_schema_copy_metadata(stoa_pool *pool, struct ArrowSchema *schema,
                                            const char *metadata, stoa_error *err) {
    STOA_TRY(schema_own(pool, schema, err));
    return metadata_copy(schema, metadata, err);
}

struct pair {
    const char *key;
    const char *value;
    int32_t key_size;
    int32_t value_size;
};

/* Reads the pair at `*at` and moves behind it; false when a length is negative. */
static bool pair_read(const char **at, struct pair *out) {
    out->key_size = stoa_load_i32(*at);
    if (out->key_size < 0) {
        return false;
    }
    out->key = *at + 4;
    *at = out->key + out->key_size;
    out->value_size = stoa_load_i32(*at);
    if (out->value_size < 0) {
        return false;
    }
    out->value = *at + 4;
    *at = out->value + out->value_size;
    return true;
}

static bool metadata_find_sized(const char *metadata, const char *key, size_t key_size,
                                struct pair *out) {
    if (metadata == NULL) {
        return false;
    }
    int32_t count = stoa_load_i32(metadata);
    const char *at = metadata + 4;
    for (int32_t i = 0; i < count && pair_read(&at, out); i++) {
        if ((size_t)out->key_size == key_size && memcmp(out->key, key, key_size) == 0) {
            return true;
        }
    }
    return false;
}

bool stoa_arrow_metadata_find(const char *metadata, const char *key, const char **out_view,
                              int32_t *out_size) {
    struct pair pair;
    if (!metadata_find_sized(metadata, key, strlen(key), &pair)) {
        return false;
    }
    *out_view = pair.value;
    *out_size = pair.value_size;
    return true;
}

stoa_status stoa_arrow_metadata_each(const char *metadata, stoa_metadata_function function,
                                     void *user, stoa_error *err) {
    if (metadata == NULL) {
        return STOA_OK;
    }
    int32_t count = stoa_load_i32(metadata);
    const char *at = metadata + 4;
    for (int32_t i = 0; i < count; i++) {
        struct pair pair;
        if (!pair_read(&at, &pair)) {
            return stoa_fail(err, STOA_INVALID, "metadata pair %d has a negative length", i);
        }
        STOA_TRY(function(user, pair.key, pair.key_size, pair.value, pair.value_size, err));
    }
    return STOA_OK;
}

/* The same pairs in any order. */
static bool metadata_equal(const char *left, const char *right) {
    int32_t left_count = left == NULL ? 0 : stoa_load_i32(left);
    int32_t right_count = right == NULL ? 0 : stoa_load_i32(right);
    if (left_count != right_count) {
        return false;
    }
    const char *at = left + (left == NULL ? 0 : 4);
    for (int32_t i = 0; i < left_count; i++) {
        struct pair mine;
        struct pair theirs;
        if (!pair_read(&at, &mine) ||
            !metadata_find_sized(right, mine.key, (size_t)mine.key_size, &theirs) ||
            mine.value_size != theirs.value_size ||
            memcmp(mine.value, theirs.value, (size_t)mine.value_size) != 0) {
            return false;
        }
    }
    return true;
}

/* "d:9,2" and "d:9,2,128" are one type, so what the formats mean is compared. */
static bool format_equal(const struct ArrowSchema *left, const struct ArrowSchema *right) {
    stoa_arrow_layout a;
    stoa_arrow_layout b;
    if (left->format == NULL || right->format == NULL) {
        return false;
    }
    if (strcmp(left->format, right->format) == 0) {
        return true;
    }
    if (stoa_arrow_layout_parse(left, &a, NULL) != STOA_OK ||
        stoa_arrow_layout_parse(right, &b, NULL) != STOA_OK) {
        return false;
    }
    return a.kind == b.kind && a.kind == STOA_ARROW_DECIMAL && a.precision == b.precision &&
           a.scale == b.scale && a.byte_width == b.byte_width;
}

static bool differ(stoa_error *difference, const struct ArrowSchema *left, const char *what,
                   const char *expected, const char *found) {
    (void)stoa_fail(difference, STOA_INVALID, "field '%s': expected %s '%.200s' but found '%.200s'",
                    left->name == NULL ? "" : left->name, what, expected == NULL ? "" : expected,
                    found == NULL ? "" : found);
    return false;
}

static bool labels_equal(const struct ArrowSchema *left, const struct ArrowSchema *right,
                         stoa_error *difference) {
    const char *left_name = left->name == NULL ? "" : left->name;
    const char *right_name = right->name == NULL ? "" : right->name;
    if (strcmp(left_name, right_name) != 0) {
        return differ(difference, left, "the name", left_name, right_name);
    }
    if (left->flags != right->flags) {
        (void)stoa_fail(difference, STOA_INVALID,
                        "field '%s': expected flags %" PRId64 " but found %" PRId64, left_name,
                        left->flags, right->flags);
        return false;
    }
    if (!metadata_equal(left->metadata, right->metadata)) {
        (void)stoa_fail(difference, STOA_INVALID, "field '%s': the metadata differs", left_name);
        return false;
    }
    return true;
}

static bool node_equal(const struct ArrowSchema *left, const struct ArrowSchema *right,
                       bool with_names, int depth, stoa_error *difference) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        (void)stoa_fail(difference, STOA_INVALID, "the schema is nested deeper than %d levels",
                        STOA_ARROW_DEPTH_MAX);
        return false;
    }
    if (!format_equal(left, right)) {
        return differ(difference, left, "format", left->format, right->format);
    }
    if (with_names && !labels_equal(left, right, difference)) {
        return false;
    }
    if (left->n_children != right->n_children) {
        (void)stoa_fail(difference, STOA_INVALID,
                        "field '%s': expected %" PRId64 " children but found %" PRId64,
                        left->name == NULL ? "" : left->name, left->n_children, right->n_children);
        return false;
    }
    if ((left->dictionary == NULL) != (right->dictionary == NULL)) {
        return differ(difference, left, "encoding", left->dictionary ? "dictionary" : "plain",
                      right->dictionary ? "dictionary" : "plain");
    }
    if (left->dictionary != NULL &&
        !node_equal(left->dictionary, right->dictionary, with_names, depth + 1, difference)) {
        return false;
    }
    for (int64_t i = 0; i < left->n_children; i++) {
        if (!node_equal(left->children[i], right->children[i], with_names, depth + 1,
                        difference)) {
            return false;
        }
    }
    return true;
}

bool stoa_arrow_schema_equal(const struct ArrowSchema *left, const struct ArrowSchema *right,
                             bool with_names, stoa_error *difference) {
    return node_equal(left, right, with_names, 0, difference);
}
