/* Versions: lists of files by level, each file counted by every version that has it.
 *
 * A new version is made from the last one by merging what is added into each level's order, which is
 * kept: work grows with the files there are and those that change, not with their product. Numbers
 * come from a manifest, so whatever does not fit together is an answer, not an assertion. */
#include "lsm/version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "mem/arena.h"
#include "vfs/vfs.h"

/* -- files ------------------------------------------------------------------------------------ */

bool stoa_table_file_parse_name(const char *name, uint64_t *out) {
    char rest[8] = "";
    return strlen(name) == 20 && strcmp(name + 16, ".sst") == 0 &&
           sscanf(name, "%16" SCNx64 "%7s", out, rest) == 2;
}

void stoa_table_file_info_release(stoa_table_file_info *info) {
    stoa_buffer_release(&info->first_key);
    stoa_buffer_release(&info->last_key);
}

stoa_status stoa_table_file_create(stoa_pool *pool, stoa_fs_registry *file_systems, const char *uri,
                                   stoa_table_file_info *info, stoa_sst *sst, stoa_table_file **out,
                                   stoa_error *err) {
    void *memory = NULL;
    char *copy = NULL;
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_CHECK(stoa_pool_copy_string(pool, uri, &copy, err));
    STOA_CHECK(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_table_file *file = memory;
    atomic_init(&file->references, 1);
    atomic_init(&file->is_obsolete, false);
    atomic_init(&file->is_compacting, false);
    file->info = *info;
    file->first_prefix = stoa_key_prefix(info->first_key.data, info->first_key.size);
    file->last_prefix = stoa_key_prefix(info->last_key.data, info->last_key.size);
    file->sst = sst;
    file->file_systems = file_systems;
    file->uri = copy;
    file->pool = pool;
    info->first_key = (stoa_buffer){.pool = info->first_key.pool};
    info->last_key = (stoa_buffer){.pool = info->last_key.pool};
    *out = file;
    return STOA_OK;

done:
    stoa_pool_free_string(pool, copy);
    stoa_table_file_info_release(info);
    stoa_sst_close(sst);
    return status;
}

stoa_table_file *stoa_table_file_retain(stoa_table_file *file) {
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void stoa_table_file_release(stoa_table_file *file) {
    /* Whoever sees the count fall to nothing sees all that others did with the file before. */
    if (file == NULL || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stoa_sst_close(file->sst);
    if (atomic_load_explicit(&file->is_obsolete, memory_order_relaxed)) {
        /* The next writer that opens the store removes what no manifest names. */
        STOA_IGNORE(stoa_vfs_remove(file->file_systems, file->uri, NULL, NULL));
    }
    stoa_table_file_info_release(&file->info);
    stoa_pool_free_string(file->pool, file->uri);
    stoa_pool_free(file->pool, file, sizeof *file);
}

/* -- versions --------------------------------------------------------------------------------- */

static int64_t file_count(const stoa_version *version) {
    int64_t count = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        count += version->levels[i].count;
    }
    return count;
}

/* A version with room for `count` files; all levels share one list. */
static stoa_status create(stoa_pool *pool, int64_t count, stoa_version **out,
                          stoa_table_file ***out_files, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)count, sizeof **out_files, &memory, err));
    *out_files = memory;
    const stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, (void *)*out_files, (size_t)count * sizeof **out_files);
        return status;
    }
    *out = memory;
    atomic_init(&(*out)->references, 1);
    (*out)->pool = pool;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        (*out)->levels[i].files = *out_files;
    }
    return STOA_OK;
}

stoa_status stoa_version_create(stoa_pool *pool, stoa_version **out, stoa_error *err) {
    stoa_table_file **files = NULL;
    return create(pool, 0, out, &files, err);
}

stoa_version *stoa_version_retain(stoa_version *version) {
    atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
    return version;
}

void stoa_version_release(stoa_version *version) {
    if (version == NULL ||
        atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    const int64_t count = file_count(version);
    stoa_table_file **files = version->levels[0].files;
    for (int64_t i = 0; i < count; i++) {
        stoa_table_file_release(files[i]);
    }
    stoa_pool_free(version->pool, (void *)files, (size_t)count * sizeof(stoa_table_file *));
    stoa_pool_free(version->pool, version, sizeof *version);
}

/* -- edits ------------------------------------------------------------------------------------ */

struct number {
    uint64_t number;
    bool is_met;
};

/* What changes, in the order in which it is looked for: numbers ascending, files as levels have them. */
struct edit {
    stoa_arena arena;
    struct number *removed;
    struct number *added;
    stoa_table_file **files;
    int64_t removed_count;
    int64_t added_count;
};

static int compare_numbers(const void *left, const void *right) {
    const uint64_t a = ((const struct number *)left)->number;
    const uint64_t b = ((const struct number *)right)->number;
    return (a > b) - (a < b);
}

static int compare_keys(uint64_t left_prefix, const stoa_buffer *left, uint64_t right_prefix,
                        const stoa_buffer *right) {
    return left_prefix != right_prefix
               ? (left_prefix > right_prefix) - (left_prefix < right_prefix)
               : stoa_bytes_compare(left->data, left->size, right->data, right->size);
}

/* Within a level: 0 by age, the newest first; others by key. */
static int compare_in_level(const stoa_table_file *a, const stoa_table_file *b) {
    if (a->info.level > 0) {
        return compare_keys(a->first_prefix, &a->info.first_key, b->first_prefix,
                            &b->info.first_key);
    }
    if (a->info.sequence_max != b->info.sequence_max) {
        return (a->info.sequence_max < b->info.sequence_max) -
               (a->info.sequence_max > b->info.sequence_max);
    }
    return (a->info.number < b->info.number) - (a->info.number > b->info.number);
}

static int compare_files(const void *left, const void *right) {
    const stoa_table_file *a = *(stoa_table_file *const *)left;
    const stoa_table_file *b = *(stoa_table_file *const *)right;
    return a->info.level != b->info.level
               ? (a->info.level > b->info.level) - (a->info.level < b->info.level)
               : compare_in_level(a, b);
}

static struct number *find_number(struct number *sorted, int64_t count, uint64_t number) {
    if (count == 0 || number < sorted[0].number || number > sorted[count - 1].number) {
        return NULL;
    }
    const struct number wanted = {.number = number};
    return bsearch(&wanted, sorted, (size_t)count, sizeof *sorted, compare_numbers);
}

static stoa_status fail_there(uint64_t number, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "file %016" PRIx64 " is there already", number);
}

static stoa_status allocate_numbers(struct edit *edit, int64_t count, struct number **out,
                                    stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(&edit->arena, (size_t)count, sizeof **out, &memory, err));
    *out = memory;
    return STOA_OK;
}

static stoa_status sort_removed(struct edit *edit, const uint64_t *removed, stoa_error *err) {
    const int64_t count = edit->removed_count;
    STOA_TRY(allocate_numbers(edit, count, &edit->removed, err));
    for (int64_t i = 0; i < count; i++) {
        edit->removed[i].number = removed[i];
    }
    if (count > 0) {
        qsort(edit->removed, (size_t)count, sizeof *edit->removed, compare_numbers);
    }
    return STOA_OK;
}

static stoa_status sort_added(struct edit *edit, stoa_table_file *const *added, stoa_error *err) {
    const int64_t count = edit->added_count;
    void *memory = NULL;
    STOA_TRY(allocate_numbers(edit, count, &edit->added, err));
    STOA_TRY(
        stoa_arena_allocate_array(&edit->arena, (size_t)count, sizeof *edit->files, &memory, err));
    edit->files = memory;
    for (int64_t i = 0; i < count; i++) {
        const stoa_table_file_info *info = &added[i]->info;
        if (info->level < 0 || info->level >= STOA_LEVELS) {
            return stoa_fail(err, STOA_CORRUPT,
                             "file %016" PRIx64 ": expected a level from 0 to %d but found %d",
                             info->number, STOA_LEVELS - 1, (int)info->level);
        }
        edit->added[i].number = info->number;
        edit->files[i] = added[i];
    }
    if (count > 0) {
        qsort(edit->added, (size_t)count, sizeof *edit->added, compare_numbers);
        qsort((void *)edit->files, (size_t)count, sizeof *edit->files, compare_files);
    }
    for (int64_t i = 1; i < count; i++) {
        if (edit->added[i].number == edit->added[i - 1].number) {
            return fail_there(edit->added[i].number, err);
        }
    }
    return STOA_OK;
}

/* Every number that is to go is there, once, and none that is to come. */
static stoa_status check_numbers(const stoa_version *base, struct edit *edit, stoa_error *err) {
    const int64_t count = file_count(base);
    stoa_table_file *const *files = base->levels[0].files;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t number = files[i]->info.number;
        struct number *removed = find_number(edit->removed, edit->removed_count, number);
        if (removed != NULL) {
            removed->is_met = true;
        } else if (find_number(edit->added, edit->added_count, number) != NULL) {
            return fail_there(number, err);
        }
    }
    for (int64_t i = 0; i < edit->removed_count; i++) {
        if (!edit->removed[i].is_met) {
            return stoa_fail(err, STOA_CORRUPT, "expected file %016" PRIx64 " but found none",
                             edit->removed[i].number);
        }
    }
    return STOA_OK;
}

/* Below level 0 keys are in one file only. */
static stoa_status check_place(const stoa_table_file *before, const stoa_table_file *file,
                               stoa_error *err) {
    if (compare_keys(file->first_prefix, &file->info.first_key, file->last_prefix,
                     &file->info.last_key) > 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "file %016" PRIx64 ": its first key is above its last one",
                         file->info.number);
    }
    if (before != NULL && file->info.level > 0 &&
        compare_keys(before->last_prefix, &before->info.last_key, file->first_prefix,
                     &file->info.first_key) >= 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "files %016" PRIx64 " and %016" PRIx64 " of level %d overlap",
                         before->info.number, file->info.number, (int)file->info.level);
    }
    return STOA_OK;
}

/* What stays of a level, merged with what comes: `added`, `added_count` files that are sorted. Files
 * that were neighbours before are not compared again. */
static stoa_status merge_level(const stoa_level *base, const struct edit *edit,
                               stoa_table_file *const *added, int64_t added_count,
                               stoa_level *level, stoa_error *err) {
    bool was_added = false;
    int64_t kept = 0;
    int64_t taken = 0;
    while (kept < base->count || taken < added_count) {
        stoa_table_file *file = kept < base->count ? base->files[kept] : NULL;
        if (file != NULL && find_number(edit->removed, edit->removed_count, file->info.number)) {
            kept++;
            continue;
        }
        const bool is_added = taken < added_count &&
                              (file == NULL || compare_in_level(added[taken], file) < 0);
        file = is_added ? added[taken] : file;
        taken += is_added;
        kept += !is_added;
        if (is_added || was_added) {
            STOA_TRY(
                check_place(level->count > 0 ? level->files[level->count - 1] : NULL, file, err));
        }
        was_added = is_added;
        level->files[level->count++] = file;
        level->bytes += file->info.bytes;
    }
    return STOA_OK;
}

static stoa_status merge(const stoa_version *base, const struct edit *edit, stoa_version *version,
                         stoa_error *err) {
    int64_t begin = 0;
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        int64_t end = begin;
        while (end < edit->added_count && edit->files[end]->info.level == i) {
            end++;
        }
        if (i > 0) {
            const stoa_level *above = &version->levels[i - 1];
            version->levels[i].files = above->files + above->count;
        }
        STOA_TRY(merge_level(&base->levels[i], edit, edit->files + begin, end - begin,
                             &version->levels[i], err));
        begin = end;
    }
    return STOA_OK;
}

static stoa_status apply(const stoa_version *base, struct edit *edit, stoa_version **out,
                         stoa_error *err) {
    stoa_table_file **files = NULL;
    stoa_version *version = NULL;
    STOA_TRY(check_numbers(base, edit, err));
    const int64_t total = file_count(base) - edit->removed_count + edit->added_count;
    STOA_TRY(create(base->pool, total, &version, &files, err));
    const stoa_status status = merge(base, edit, version, err);
    if (status != STOA_OK) {
        stoa_pool_free(base->pool, (void *)files, (size_t)total * sizeof *files);
        stoa_pool_free(base->pool, version, sizeof *version);
        return status;
    }
    STOA_ASSERT(file_count(version) == total);
    for (int64_t i = 0; i < total; i++) {
        (void)stoa_table_file_retain(files[i]);
    }
    *out = version;
    return STOA_OK;
}

stoa_status stoa_version_apply(const stoa_version *base, const uint64_t *removed,
                               int64_t removed_count, stoa_table_file *const *added,
                               int64_t added_count, stoa_version **out, stoa_error *err) {
    struct edit edit = {.removed_count = removed_count, .added_count = added_count};
    stoa_status status = STOA_OK;
    *out = NULL;
    stoa_arena_init(&edit.arena, base->pool);
    STOA_CHECK(sort_removed(&edit, removed, err));
    STOA_CHECK(sort_added(&edit, added, err));
    STOA_CHECK(apply(base, &edit, out, err));

done:
    stoa_arena_release(&edit.arena);
    return status;
}

stoa_table_file *stoa_version_find_file(const stoa_version *version, uint64_t number) {
    for (int level = 0; version != NULL && level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < version->levels[level].count; i++) {
            if (version->levels[level].files[i]->info.number == number) {
                return version->levels[level].files[i];
            }
        }
    }
    return NULL;
}

bool stoa_version_is_last_level(const stoa_version *version, int32_t level) {
    int64_t below = 0;
    for (int32_t i = level + 1; i < STOA_LEVELS; i++) {
        below += version->levels[i].count;
    }
    return below == 0;
}

int64_t stoa_level_find(const stoa_level *level, const uint8_t *key, size_t size) {
    const uint64_t prefix = stoa_key_prefix(key, size);
    int64_t from = 0;
    int64_t to = level->count;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        const stoa_table_file *file = level->files[middle];
        const bool is_less = file->last_prefix != prefix
                                 ? file->last_prefix < prefix
                                 : stoa_bytes_compare(file->info.last_key.data,
                                                      file->info.last_key.size, key, size) < 0;
        from = is_less ? middle + 1 : from;
        to = is_less ? to : middle;
    }
    return from;
}
