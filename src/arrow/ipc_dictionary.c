/* Dictionaries on the reading side.
 *
 * What arrives under an id is kept as bodies, one for the dictionary and one for each delta, and
 * made into an array when a batch needs it. So it does not matter in which order nested dictionaries
 * arrive: the inner one is looked up when the outer one is assembled. A dictionary of a single body
 * is assembled anew for each batch, which copies nothing; several are concatenated once, and the
 * result is shared by slices until something new arrives.
 *
 *     entry ── bodies[0]   the dictionary          ┐
 *        │     bodies[1…]  its deltas              ┴─▶ merged, valid for one generation
 *        └──── field       the type of the values
 *
 * An id that has not arrived is an empty dictionary: the specification lets it come after batches
 * in which all its indices are null. Fields that share an id have equal types, so no dictionary can
 * contain itself.
 *
 * Source   Apache Arrow columnar format 1.5, "Dictionary Messages" */
#include "arrow/ipc_dictionary.h"

#include "arrow/array.h"
#include "arrow/ipc_format.h"
#include "arrow/schema.h"

struct entry {
    int64_t id;
    const stoa_ipc_field *field; /* of the values, one of those with this id */
    stoa_ipc_body **bodies;
    size_t body_count;
    size_t body_capacity;
    struct ArrowArray merged; /* all bodies in one; only where there are several */
    uint64_t merged_generation;
};

struct stoa_ipc_dictionaries {
    stoa_pool *pool;
    struct entry *entries; /* by ascending id */
    size_t entry_count;
    size_t entry_capacity;
    uint64_t generation; /* counts what has arrived */
};

static struct entry *entry_find(const stoa_ipc_dictionaries *dictionaries, int64_t id) {
    size_t low = 0;
    size_t high = dictionaries->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dictionaries->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < dictionaries->entry_count && dictionaries->entries[low].id == id
               ? &dictionaries->entries[low]
               : NULL;
}

/* Equal types whose nested dictionaries have the same ids. */
static bool same_values(const stoa_ipc_field *left, const stoa_ipc_field *right) {
    if (left->layout.dictionary != right->layout.dictionary ||
        left->child_count != right->child_count) {
        return false;
    }
    if (left->layout.dictionary) {
        return left->dictionary_id == right->dictionary_id &&
               same_values(left->values, right->values);
    }
    for (int64_t i = 0; i < left->child_count; i++) {
        if (!same_values(&left->children[i], &right->children[i])) {
            return false;
        }
    }
    return true;
}

static stoa_status entry_add(stoa_ipc_dictionaries *dictionaries, const stoa_ipc_field *field,
                             stoa_error *err) {
    const struct entry *known = entry_find(dictionaries, field->dictionary_id);
    if (known != NULL) {
        stoa_error difference = STOA_ERROR_NONE;
        if (stoa_arrow_schema_equal(known->field->schema, field->values->schema, false,
                                    &difference) &&
            same_values(known->field, field->values)) {
            return STOA_OK;
        }
        return stoa_fail(err, STOA_CORRUPT,
                         "dictionary %" PRId64 " serves fields of different types: %s",
                         field->dictionary_id, difference.message);
    }
    STOA_ASSERT(dictionaries->entry_count < dictionaries->entry_capacity);
    size_t at = dictionaries->entry_count++;
    for (; at > 0 && dictionaries->entries[at - 1].id > field->dictionary_id; at--) {
        dictionaries->entries[at] = dictionaries->entries[at - 1];
    }
    dictionaries->entries[at] = (struct entry){.id = field->dictionary_id, .field = field->values};
    return STOA_OK;
}

static stoa_status entries_collect(stoa_ipc_dictionaries *dictionaries, const stoa_ipc_field *field,
                                   stoa_error *err) {
    if (field->layout.dictionary) {
        STOA_TRY(entry_add(dictionaries, field, err));
        STOA_TRY(entries_collect(dictionaries, field->values, err));
    }
    for (int64_t i = 0; i < field->child_count; i++) {
        STOA_TRY(entries_collect(dictionaries, &field->children[i], err));
    }
    return STOA_OK;
}

static void entry_clear(stoa_ipc_dictionaries *dictionaries, struct entry *entry) {
    for (size_t i = 0; i < entry->body_count; i++) {
        stoa_keeper_release(entry->bodies[i]->keeper);
    }
    stoa_pool_free(dictionaries->pool, entry->bodies, entry->body_capacity * sizeof *entry->bodies);
    entry->bodies = NULL;
    entry->body_count = 0;
    entry->body_capacity = 0;
    stoa_arrow_array_release(&entry->merged);
}

void stoa_ipc_dictionaries_close(stoa_ipc_dictionaries *dictionaries) {
    if (dictionaries == NULL) {
        return;
    }
    for (size_t i = 0; i < dictionaries->entry_count; i++) {
        entry_clear(dictionaries, &dictionaries->entries[i]);
    }
    stoa_pool_free(dictionaries->pool, dictionaries->entries,
                   dictionaries->entry_capacity * sizeof(struct entry));
    stoa_pool_free(dictionaries->pool, dictionaries, sizeof *dictionaries);
}

stoa_status stoa_ipc_dictionaries_create(const stoa_ipc_source *source, const stoa_ipc_field *root,
                                         stoa_ipc_dictionaries **out, stoa_error *err) {
    stoa_pool *pool = source->context.pool;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_ipc_dictionaries), &memory, err));
    stoa_ipc_dictionaries *dictionaries = memory;
    dictionaries->pool = pool;
    stoa_status status = STOA_OK;
    size_t capacity = stoa_ipc_fields_dictionary_count(root);
    STOA_CHECK(stoa_pool_allocate_array(pool, capacity, sizeof(struct entry), &memory, err));
    dictionaries->entries = memory;
    dictionaries->entry_capacity = capacity;
    STOA_CHECK(entries_collect(dictionaries, root, err));
    *out = dictionaries;

done:
    if (status != STOA_OK) {
        stoa_ipc_dictionaries_close(dictionaries);
    }
    return status;
}

static stoa_status body_add(stoa_ipc_dictionaries *dictionaries, struct entry *entry,
                            stoa_ipc_body *body, stoa_error *err) {
    if (entry->body_count == entry->body_capacity) {
        size_t capacity = entry->body_capacity == 0 ? 1 : entry->body_capacity * 2;
        void *memory = entry->bodies;
        STOA_TRY(stoa_pool_reallocate(dictionaries->pool, &memory,
                                      entry->body_capacity * sizeof *entry->bodies,
                                      capacity * sizeof *entry->bodies, err));
        entry->bodies = memory;
        entry->body_capacity = capacity;
    }
    entry->bodies[entry->body_count++] = body;
    return STOA_OK;
}

stoa_status stoa_ipc_dictionaries_read(stoa_ipc_dictionaries *dictionaries, stoa_ipc_source *source,
                                       const stoa_ipc_message *message, stoa_keeper *file,
                                       stoa_ipc_codecs *codecs, bool replace, stoa_error *err) {
    int64_t id = stoa_flat_i64(message->header, DICTIONARY_BATCH_ID, 0);
    bool delta = stoa_flat_bool(message->header, DICTIONARY_BATCH_IS_DELTA, false);
    stoa_flat_table batch = stoa_flat_child(message->header, DICTIONARY_BATCH_DATA);
    STOA_TRY(stoa_ipc_check_reader(source, message->offset, &message->reader, err));
    struct entry *entry = entry_find(dictionaries, id);
    if (entry == NULL) {
        return stoa_ipc_corrupt(source, message->offset, err,
                                "dictionary %" PRId64 " belongs to no field", id);
    }
    if (!delta && !replace && entry->body_count > 0) {
        return stoa_ipc_corrupt(source, message->offset, err,
                                "dictionary %" PRId64 " comes twice in a file", id);
    }
    stoa_ipc_body *body = NULL;
    STOA_TRY(stoa_ipc_body_read(source, message, batch, file, codecs, &body, err));
    if (!delta) {
        entry_clear(dictionaries, entry);
    }
    dictionaries->generation++;
    stoa_status status = body_add(dictionaries, entry, body, err);
    if (status != STOA_OK) {
        stoa_keeper_release(body->keeper);
    }
    return status;
}

bool stoa_ipc_dictionaries_missing(const stoa_ipc_dictionaries *dictionaries) {
    for (size_t i = 0; i < dictionaries->entry_count; i++) {
        if (dictionaries->entries[i].body_count == 0) {
            return true;
        }
    }
    return false;
}

static stoa_status assemble(stoa_ipc_dictionaries *dictionaries, const struct entry *entry,
                            stoa_ipc_body *body, struct ArrowArray *out, stoa_error *err) {
    const stoa_ipc_assembly assembly = {body, dictionaries->pool, stoa_ipc_dictionaries_resolve,
                                        dictionaries};
    stoa_status status = stoa_ipc_assemble_values(&assembly, entry->field, out, err);
    if (status == STOA_OK && body != NULL && out->length != body->length) {
        status = stoa_fail(err, STOA_CORRUPT, "expected %" PRId64 " values but found %" PRId64,
                           body->length, out->length);
        stoa_arrow_array_release(out);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "dictionary %" PRId64, entry->id);
    }
    return status;
}

/* The parts are validated one by one, since concatenation believes what it is given. */
static stoa_status merge_parts(stoa_ipc_dictionaries *dictionaries, const struct entry *entry,
                               struct ArrowArray *parts, const struct ArrowArray **pointers,
                               struct ArrowArray *out, stoa_error *err) {
    for (size_t i = 0; i < entry->body_count; i++) {
        STOA_TRY(assemble(dictionaries, entry, entry->bodies[i], &parts[i], err));
        STOA_TRY(stoa_arrow_validate(entry->field->schema, &parts[i], STOA_ARROW_CHECK_FULL, err));
        pointers[i] = &parts[i];
    }
    return stoa_arrow_concat(dictionaries->pool, entry->field->schema, pointers,
                             (int64_t)entry->body_count, out, err);
}

static stoa_status merge(stoa_ipc_dictionaries *dictionaries, struct entry *entry,
                         stoa_error *err) {
    if (entry->merged.release != NULL && entry->merged_generation == dictionaries->generation) {
        return STOA_OK;
    }
    stoa_arrow_array_release(&entry->merged);
    stoa_pool *pool = dictionaries->pool;
    size_t count = entry->body_count;
    void *parts = NULL;
    void *pointers = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof(struct ArrowArray), &parts, err));
    STOA_CHECK(stoa_pool_allocate_array(pool, count, sizeof(struct ArrowArray *), &pointers, err));
    STOA_CHECK(merge_parts(dictionaries, entry, parts, pointers, &entry->merged, err));
    entry->merged_generation = dictionaries->generation;

done:
    for (size_t i = 0; parts != NULL && i < count; i++) {
        stoa_arrow_array_release((struct ArrowArray *)parts + i);
    }
    stoa_pool_free(pool, parts, count * sizeof(struct ArrowArray));
    stoa_pool_free(pool, pointers, count * sizeof(struct ArrowArray *));
    return status;
}

stoa_status stoa_ipc_dictionaries_resolve(void *user, const stoa_ipc_field *field,
                                          struct ArrowArray *out, stoa_error *err) {
    stoa_ipc_dictionaries *dictionaries = user;
    struct entry *entry = entry_find(dictionaries, field->dictionary_id);
    STOA_ASSERT(entry != NULL);
    if (entry->body_count <= 1) {
        return assemble(dictionaries, entry, entry->body_count == 0 ? NULL : entry->bodies[0], out,
                        err);
    }
    STOA_TRY(merge(dictionaries, entry, err));
    return stoa_arrow_slice_array(dictionaries->pool, &entry->merged, 0, entry->merged.length, out,
                                  err);
}
