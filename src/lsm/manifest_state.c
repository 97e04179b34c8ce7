/* The state of a manifest and the edits that change it.
 *
 * Files are a dense list, so that whoever wants all of them has them in one piece; a removed one is
 * replaced by the last. An open hash table over the list finds them. An edit's work grows with the
 * edit, but for a table that is dropped: its files are looked for among all. */
#include "lsm/manifest_state.h"

#include <stdlib.h>

#include "base/hash.h"
#include "lsm/key.h"
#include "lsm/manifest_format.h"

enum { FILES_MIN = 16 };

/* ---- The index ------------------------------------------------------------------------------- */

static uint32_t first_slot(const stoa_file_index *index, int64_t table_id, uint64_t number) {
    return (uint32_t)stoa_hash_u64(number + (uint64_t)table_id * UINT64_C(0x9e3779b97f4a7c15)) &
           index->slot_mask;
}

/* The slot that the file is in, or the free one that it would be in. */
static uint32_t find_slot(const stoa_file_index *index, int64_t table_id, uint64_t number) {
    uint32_t slot = first_slot(index, table_id, number);
    while (index->slots[slot] != 0) {
        const stoa_manifest_removal *item = &index->items[index->slots[slot] - 1];
        if (item->number == number && item->table_id == table_id) {
            break;
        }
        slot = (slot + 1) & index->slot_mask;
    }
    return slot;
}

static int64_t index_find(const stoa_file_index *index, int64_t table_id, uint64_t number) {
    return index->count == 0 ? -1 : (int64_t)index->slots[find_slot(index, table_id, number)] - 1;
}

static void index_release(stoa_file_index *index) {
    if (index->capacity > 0) {
        stoa_pool_free(index->pool, index->items, (size_t)index->capacity * sizeof *index->items);
        stoa_pool_free(index->pool, index->slots,
                       ((size_t)index->slot_mask + 1) * sizeof *index->slots);
    }
    *index = (stoa_file_index){.pool = index->pool};
}

/* Twice as many slots as files at least. */
static stoa_status index_reserve(stoa_file_index *index, int64_t additional, stoa_error *err) {
    stoa_file_index next = {.pool = index->pool,
                            .count = index->count,
                            .capacity = index->capacity > 0 ? index->capacity : FILES_MIN};
    void *items = NULL, *slots = NULL;
    if (index->capacity - index->count >= additional) {
        return STOA_OK;
    }
    if (additional > INT32_MAX / 2 - index->count) {
        return stoa_fail(err, STOA_LIMIT, "expected at most %d files", INT32_MAX / 2);
    }
    while (next.capacity < index->count + additional) {
        next.capacity *= 2;
    }
    next.slot_mask = (uint32_t)(2 * next.capacity - 1);
    STOA_TRY(stoa_pool_allocate_array(index->pool, (size_t)next.slot_mask + 1, sizeof *next.slots,
                                      &slots, err));
    const stoa_status status = stoa_pool_allocate_array(index->pool, (size_t)next.capacity,
                                                        sizeof *next.items, &items, err);
    if (status != STOA_OK) {
        stoa_pool_free(index->pool, slots, ((size_t)next.slot_mask + 1) * sizeof *next.slots);
        return status;
    }
    next.items = items;
    next.slots = slots;
    for (int64_t i = 0; i < index->count; i++) {
        next.items[i] = index->items[i];
        next.slots[find_slot(&next, next.items[i].table_id, next.items[i].number)] = (uint32_t)i +
                                                                                     1;
    }
    index_release(index);
    *index = next;
    return STOA_OK;
}

/* One that is not there, within what was reserved. */
static void index_add(stoa_file_index *index, int64_t table_id, uint64_t number) {
    const uint32_t slot = find_slot(index, table_id, number);
    STOA_ASSERT(index->count < index->capacity && index->slots[slot] == 0);
    index->items[index->count++] = (stoa_manifest_removal){table_id, number};
    index->slots[slot] = (uint32_t)index->count;
}

/* Frees a slot; those behind it that would have liked to be nearer move up. */
static void free_slot(stoa_file_index *index, uint32_t slot) {
    uint32_t next = (slot + 1) & index->slot_mask;
    while (index->slots[next] != 0) {
        const stoa_manifest_removal *item = &index->items[index->slots[next] - 1];
        const uint32_t wanted = first_slot(index, item->table_id, item->number);
        if (((next - wanted) & index->slot_mask) >= ((next - slot) & index->slot_mask)) {
            index->slots[slot] = index->slots[next];
            slot = next;
        }
        next = (next + 1) & index->slot_mask;
    }
    index->slots[slot] = 0;
}

/* The last item takes the place of the one that goes. */
static void index_remove(stoa_file_index *index, int64_t position) {
    const stoa_manifest_removal gone = index->items[position];
    const stoa_manifest_removal last = index->items[index->count - 1];
    free_slot(index, find_slot(index, gone.table_id, gone.number));
    if (position != index->count - 1) {
        index->slots[find_slot(index, last.table_id, last.number)] = (uint32_t)position + 1;
        index->items[position] = last;
    }
    index->count--;
}

/* ---- Contents -------------------------------------------------------------------------------- */

void stoa_manifest_contents_init(stoa_manifest_contents *contents, stoa_pool *pool) {
    *contents = (stoa_manifest_contents){.pool = pool, .index = {.pool = pool}};
}

static void free_keys(stoa_pool *pool, const stoa_table_file_info *info) {
    stoa_pool_free(pool, info->first_key.data, info->first_key.size + info->last_key.size);
}

void stoa_manifest_contents_release(stoa_manifest_contents *contents) {
    stoa_manifest_state *state = &contents->state;
    for (int64_t i = 0; i < state->file_count; i++) {
        free_keys(contents->pool, &state->files[i].info);
    }
    for (int32_t i = 0; i < state->table_count; i++) {
        stoa_pool_free_string(contents->pool, (char *)(uintptr_t)state->tables[i].definition);
    }
    stoa_pool_free(contents->pool, state->files,
                   (size_t)contents->file_capacity * sizeof *state->files);
    stoa_pool_free(contents->pool, state->tables,
                   (size_t)contents->table_capacity * sizeof *state->tables);
    index_release(&contents->index);
    stoa_manifest_contents_init(contents, contents->pool);
}

/* Where a table is; -1: there is none. */
static int32_t table_place(const stoa_manifest_state *state, int64_t id) {
    int32_t from = 0;
    int32_t to = state->table_count;
    while (from < to) {
        const int32_t middle = from + (to - from) / 2;
        from = state->tables[middle].id < id ? middle + 1 : from;
        to = state->tables[middle].id < id ? to : middle;
    }
    return from < state->table_count && state->tables[from].id == id ? from : -1;
}

/* ---- What follows ---------------------------------------------------------------------------- */

/* The files that an edit names, to be looked up beside its tables. */
struct names {
    const stoa_manifest_contents *contents;
    const stoa_manifest_change *change;
    stoa_file_index removed;
    stoa_file_index added;
    uint64_t next_file;
};

static int compare_ids(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int compare_tables(const void *left, const void *right) {
    return compare_ids(&(*(const stoa_manifest_table *const *)left)->id,
                       &(*(const stoa_manifest_table *const *)right)->id);
}

static bool is_dropped(const stoa_manifest_change *change, int64_t id) {
    const int32_t count = change->edit->dropped_count;
    return count > 0 &&
           bsearch(&id, change->dropped, (size_t)count, sizeof id, compare_ids) != NULL;
}

static bool is_made(const stoa_manifest_change *change, int64_t id) {
    const int32_t count = change->edit->table_count;
    const stoa_manifest_table table = {.id = id};
    const stoa_manifest_table *const wanted = &table;
    return count > 0 && bsearch((const void *)&wanted, (const void *)change->tables, (size_t)count,
                                sizeof wanted, compare_tables) != NULL;
}

static stoa_status sort_tables(stoa_manifest_change *change, stoa_error *err) {
    const stoa_manifest_edit *edit = change->edit;
    STOA_TRY(stoa_arena_allocate_array(&change->arena, (size_t)edit->table_count,
                                       sizeof *change->tables, (void **)&change->tables, err));
    STOA_TRY(stoa_arena_allocate_array(&change->arena, (size_t)edit->dropped_count,
                                       sizeof *change->dropped, (void **)&change->dropped, err));
    for (int32_t i = 0; i < edit->table_count; i++) {
        change->tables[i] = &edit->tables[i];
    }
    for (int32_t i = 0; i < edit->dropped_count; i++) {
        change->dropped[i] = edit->dropped[i];
    }
    if (edit->table_count > 0) {
        qsort((void *)change->tables, (size_t)edit->table_count, sizeof *change->tables,
              compare_tables);
    }
    if (edit->dropped_count > 0) {
        qsort(change->dropped, (size_t)edit->dropped_count, sizeof *change->dropped, compare_ids);
    }
    return STOA_OK;
}

static stoa_status check_tables(const struct names *names, stoa_error *err) {
    const stoa_manifest_change *change = names->change;
    for (int32_t i = 0; i < change->edit->table_count; i++) {
        const int64_t id = change->tables[i]->id;
        if (id <= 0 || (i > 0 && id == change->tables[i - 1]->id)) {
            return stoa_fail(err, STOA_CORRUPT, "table %" PRId64 " is named twice, or is no table",
                             id);
        }
    }
    for (int32_t i = 0; i < change->edit->dropped_count; i++) {
        const int64_t id = change->dropped[i];
        if (table_place(&names->contents->state, id) < 0 || is_made(change, id) ||
            (i > 0 && id == change->dropped[i - 1])) {
            return stoa_fail(err, STOA_CORRUPT,
                             "expected table %" PRId64 ", which is dropped, but found none", id);
        }
    }
    return STOA_OK;
}

static stoa_status check_removed(struct names *names, const stoa_manifest_edit *edit,
                                 stoa_error *err) {
    STOA_TRY(index_reserve(&names->removed, edit->removed_count, err));
    for (int64_t i = 0; i < edit->removed_count; i++) {
        const int64_t id = edit->removed[i].table_id;
        const uint64_t number = edit->removed[i].number;
        if (index_find(&names->contents->index, id, number) < 0 ||
            index_find(&names->removed, id, number) >= 0 || is_dropped(names->change, id)) {
            return stoa_fail(err, STOA_CORRUPT,
                             "expected file %016" PRIx64 " of table %" PRId64 " but found none",
                             number, id);
        }
        index_add(&names->removed, id, number);
    }
    return STOA_OK;
}

static stoa_status check_info(const struct names *names, const stoa_table_file_info *info,
                              stoa_error *err) {
    if (info->number >= names->next_file) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected a number below %016" PRIx64 ", from which on all are free",
                         names->next_file);
    }
    if (info->level < 0 || info->level >= STOA_LEVELS) {
        return stoa_fail(err, STOA_CORRUPT, "expected a level from 0 to %d but found %" PRId32,
                         STOA_LEVELS - 1, info->level);
    }
    if (info->row_count < 0 || info->delete_count < 0 ||
        info->first_key.size > STOA_KEY_BYTES_MAX || info->last_key.size > STOA_KEY_BYTES_MAX) {
        return stoa_fail(err, STOA_CORRUPT, "expected counts from 0 and keys of at most %d bytes",
                         STOA_KEY_BYTES_MAX);
    }
    return STOA_OK;
}

static stoa_status check_added(struct names *names, const stoa_manifest_file *file,
                               stoa_error *err) {
    const int64_t id = file->table_id;
    const uint64_t number = file->info.number;
    if (is_dropped(names->change, id) ||
        (table_place(&names->contents->state, id) < 0 && !is_made(names->change, id))) {
        return stoa_fail(err, STOA_CORRUPT, "there is no such table");
    }
    if (index_find(&names->added, id, number) >= 0 ||
        (index_find(&names->contents->index, id, number) >= 0 &&
         index_find(&names->removed, id, number) < 0)) {
        return stoa_fail(err, STOA_CORRUPT, "it is there already");
    }
    index_add(&names->added, id, number);
    return check_info(names, &file->info, err);
}

static stoa_status check_names(struct names *names, const stoa_manifest_edit *edit,
                               stoa_error *err) {
    STOA_TRY(check_tables(names, err));
    STOA_TRY(check_removed(names, edit, err));
    STOA_TRY(index_reserve(&names->added, edit->added_count, err));
    for (int64_t i = 0; i < edit->added_count; i++) {
        const stoa_manifest_file *file = &edit->added[i];
        const stoa_status status = check_added(names, file, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "file %016" PRIx64 " of table %" PRId64, file->info.number,
                      file->table_id);
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status check(const stoa_manifest_contents *contents, const stoa_manifest_change *change,
                         stoa_error *err) {
    const stoa_manifest_edit *edit = change->edit;
    const uint64_t next_file = contents->state.next_file;
    struct names names = {.contents = contents,
                          .change = change,
                          .removed = {.pool = contents->pool},
                          .added = {.pool = contents->pool},
                          .next_file = edit->next_file > next_file ? edit->next_file : next_file};
    const stoa_status status = check_names(&names, edit, err);
    index_release(&names.removed);
    index_release(&names.added);
    return status;
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* Room for one item more than `capacity` doubled holds, where `needed` does not fit. */
static stoa_status grow(stoa_pool *pool, void **items, size_t item_bytes, int64_t *capacity,
                        int64_t needed, stoa_error *err) {
    int64_t next = *capacity > 0 ? *capacity : FILES_MIN;
    while (next < needed) {
        next *= 2;
    }
    if (next == *capacity) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_reallocate(pool, items, (size_t)*capacity * item_bytes,
                                  (size_t)next * item_bytes, err));
    *capacity = next;
    return STOA_OK;
}

static stoa_status reserve(stoa_manifest_contents *contents, const stoa_manifest_edit *edit,
                           stoa_error *err) {
    stoa_manifest_state *state = &contents->state;
    int64_t table_capacity = contents->table_capacity;
    if (edit->table_count > INT32_MAX / 2 - state->table_count) {
        return stoa_fail(err, STOA_LIMIT, "expected at most %d tables", INT32_MAX / 2);
    }
    STOA_TRY(index_reserve(&contents->index, edit->added_count, err));
    STOA_TRY(grow(contents->pool, (void **)&state->files, sizeof *state->files,
                  &contents->file_capacity, state->file_count + edit->added_count, err));
    STOA_TRY(grow(contents->pool, (void **)&state->tables, sizeof *state->tables, &table_capacity,
                  state->table_count + edit->table_count, err));
    contents->table_capacity = (int32_t)table_capacity;
    return STOA_OK;
}

static stoa_status copy_keys(stoa_pool *pool, const stoa_table_file_info *info, uint8_t **out,
                             stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, info->first_key.size + info->last_key.size, &memory, err));
    *out = memory;
    if (info->first_key.size > 0) {
        memcpy(*out, info->first_key.data, info->first_key.size);
    }
    if (info->last_key.size > 0) {
        memcpy(*out + info->first_key.size, info->last_key.data, info->last_key.size);
    }
    return STOA_OK;
}

static stoa_status copy(stoa_manifest_change *change, stoa_pool *pool, stoa_error *err) {
    const stoa_manifest_edit *edit = change->edit;
    STOA_TRY(stoa_arena_allocate_array(&change->arena, (size_t)edit->table_count,
                                       sizeof *change->definitions, (void **)&change->definitions,
                                       err));
    STOA_TRY(stoa_arena_allocate_array(&change->arena, (size_t)edit->added_count,
                                       sizeof *change->keys, (void **)&change->keys, err));
    for (int32_t i = 0; i < edit->table_count; i++) {
        STOA_TRY(stoa_pool_copy_string(pool, change->tables[i]->definition, &change->definitions[i],
                                       err));
    }
    for (int64_t i = 0; i < edit->added_count; i++) {
        STOA_TRY(copy_keys(pool, &edit->added[i].info, &change->keys[i], err));
    }
    return STOA_OK;
}

void stoa_manifest_change_drop(stoa_manifest_change *change, stoa_pool *pool) {
    for (int32_t i = 0; change->definitions != NULL && i < change->edit->table_count; i++) {
        stoa_pool_free_string(pool, change->definitions[i]);
    }
    for (int64_t i = 0; change->keys != NULL && i < change->edit->added_count; i++) {
        const stoa_table_file_info *info = &change->edit->added[i].info;
        if (change->keys[i] != NULL) {
            stoa_pool_free(pool, change->keys[i], info->first_key.size + info->last_key.size);
        }
    }
    stoa_arena_release(&change->arena);
    *change = (stoa_manifest_change){0};
}

stoa_status stoa_manifest_change_prepare(stoa_manifest_change *change,
                                         stoa_manifest_contents *contents,
                                         const stoa_manifest_edit *edit, stoa_error *err) {
    stoa_status status = STOA_OK;
    *change = (stoa_manifest_change){.edit = edit};
    stoa_arena_init(&change->arena, contents->pool);
    STOA_CHECK(sort_tables(change, err));
    STOA_CHECK(check(contents, change, err));
    STOA_CHECK(reserve(contents, edit, err));
    STOA_CHECK(copy(change, contents->pool, err));
    return STOA_OK;

done:
    stoa_manifest_change_drop(change, contents->pool);
    return status;
}

static void remove_file(stoa_manifest_contents *contents, int64_t position) {
    stoa_manifest_state *state = &contents->state;
    contents->bytes -= stoa_manifest_file_bytes(&state->files[position]);
    free_keys(contents->pool, &state->files[position].info);
    index_remove(&contents->index, position);
    state->files[position] = state->files[--state->file_count];
}

static void free_table(stoa_manifest_contents *contents, const stoa_manifest_table *table) {
    contents->bytes -= stoa_manifest_table_bytes(table);
    stoa_pool_free_string(contents->pool, (char *)(uintptr_t)table->definition);
}

/* One look at everything, however many tables go. */
static void drop_tables(stoa_manifest_contents *contents, const stoa_manifest_change *change) {
    stoa_manifest_state *state = &contents->state;
    int32_t kept = 0;
    for (int64_t i = state->file_count - 1; i >= 0; i--) {
        if (is_dropped(change, state->files[i].table_id)) {
            remove_file(contents, i);
        }
    }
    for (int32_t i = 0; i < state->table_count; i++) {
        if (is_dropped(change, state->tables[i].id)) {
            free_table(contents, &state->tables[i]);
        } else {
            state->tables[kept++] = state->tables[i];
        }
    }
    state->table_count = kept;
}

/* Both lists are by id: merged from their ends, where a table that is there is replaced. */
static void put_tables(stoa_manifest_contents *contents, const stoa_manifest_change *change) {
    stoa_manifest_state *state = &contents->state;
    int32_t next = change->edit->table_count - 1;
    int32_t old = state->table_count - 1;
    int32_t count = state->table_count;
    for (int32_t i = 0; i <= next; i++) {
        count += table_place(state, change->tables[i]->id) < 0;
    }
    state->table_count = count;
    for (int32_t place = count - 1; next >= 0; place--) {
        const int64_t id = change->tables[next]->id;
        if (old >= 0 && state->tables[old].id > id) {
            state->tables[place] = state->tables[old--];
            continue;
        }
        if (old >= 0 && state->tables[old].id == id) {
            free_table(contents, &state->tables[old--]);
        }
        state->tables[place] = (stoa_manifest_table){id, change->definitions[next--]};
        contents->bytes += stoa_manifest_table_bytes(&state->tables[place]);
    }
}

/* Takes the keys. */
static void add_file(stoa_manifest_contents *contents, const stoa_manifest_file *file,
                     uint8_t *keys) {
    stoa_manifest_file *place = &contents->state.files[contents->state.file_count++];
    const size_t first_size = file->info.first_key.size;
    const size_t last_size = file->info.last_key.size;
    *place = *file;
    place->info.first_key = (stoa_buffer){.data = keys, .size = first_size};
    place->info.last_key = (stoa_buffer){.data = keys + first_size, .size = last_size};
    index_add(&contents->index, file->table_id, file->info.number);
    contents->bytes += stoa_manifest_file_bytes(place);
}

static void raise_to(uint64_t *number, uint64_t least) {
    *number = least > *number ? least : *number;
}

void stoa_manifest_change_apply(stoa_manifest_change *change, stoa_manifest_contents *contents) {
    const stoa_manifest_edit *edit = change->edit;
    stoa_manifest_state *state = &contents->state;
    if (edit->dropped_count > 0) {
        drop_tables(contents, change);
    }
    put_tables(contents, change);
    for (int64_t i = 0; i < edit->removed_count; i++) {
        remove_file(contents, index_find(&contents->index, edit->removed[i].table_id,
                                         edit->removed[i].number));
    }
    for (int64_t i = 0; i < edit->added_count; i++) {
        add_file(contents, &edit->added[i], change->keys[i]);
    }
    raise_to(&state->log_segment, edit->log_segment);
    raise_to(&state->next_file, edit->next_file);
    raise_to(&state->last_sequence, edit->last_sequence);
    raise_to(&state->flushed_sequence, edit->flushed_sequence);
    STOA_ASSERT(state->file_count == contents->index.count);
    stoa_arena_release(&change->arena);
    *change = (stoa_manifest_change){0};
}
