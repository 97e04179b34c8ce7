/* Memtables first, then files, each asked only when it may hold something newer. Called under the
 * commit lock, so that it reads a file only where somebody's flush has overtaken a transaction. */
#include "lsm/newest.h"

#include "base/bytes.h"

struct sought {
    const stoa_key_format *format;
    const uint8_t *key;
    size_t size;
    uint64_t after;
    uint64_t found; /* above `after`, or 0 */
};

static void note(struct sought *sought, uint64_t sequence) {
    if (sequence > sought->after) {
        sought->found = sequence;
    }
}

static stoa_status look_in_memtable(struct sought *sought, stoa_memtable *memtable,
                                    stoa_error *err) {
    stoa_memtable_row row;
    STOA_TRY(stoa_memtable_get(memtable, sought->key, sought->size, UINT64_MAX, &row, err));
    if (row.piece != NULL) {
        note(sought, stoa_memtable_sequence(&row));
    }
    note(sought, stoa_memtable_range_cover(memtable, sought->key, sought->size, UINT64_MAX));
    return STOA_OK;
}

static stoa_status look_in_rows(struct sought *sought, stoa_sst *sst, stoa_error *err) {
    const stoa_sst_key key = stoa_sst_key_of(sought->format, sought->key, sought->size);
    stoa_sst_version version;
    uint64_t sequence;
    STOA_TRY(stoa_sst_get(sst, &key, UINT64_MAX, NULL, &version, err));
    if (version.is_found) {
        STOA_TRY(stoa_sst_sequence(sst, &version.position, &sequence, err));
        note(sought, sequence);
    }
    return STOA_OK;
}

static bool file_may_have(const struct sought *sought, const stoa_table_file_info *info) {
    return info->sequence_max > sought->after &&
           stoa_bytes_compare(sought->key, sought->size, info->first_key.data,
                              info->first_key.size) >= 0 &&
           stoa_bytes_compare(sought->key, sought->size, info->last_key.data,
                              info->last_key.size) <= 0;
}

static stoa_status look_in_file(struct sought *sought, const stoa_table_file *file,
                                stoa_error *err) {
    if (!file_may_have(sought, &file->info)) {
        return STOA_OK;
    }
    note(sought,
         stoa_range_set_cover(stoa_sst_ranges(file->sst), sought->key, sought->size, UINT64_MAX));
    return sought->found != 0 ? STOA_OK : look_in_rows(sought, file->sst, err);
}

static stoa_status look_in_level(struct sought *sought, const stoa_level *level, bool overlaps,
                                 stoa_error *err) {
    const int64_t first = overlaps ? 0 : stoa_level_find(level, sought->key, sought->size);
    const int64_t end = overlaps || first == level->count ? level->count : first + 1;
    for (int64_t i = first; i < end && sought->found == 0; i++) {
        STOA_TRY(look_in_file(sought, level->files[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_state_view_newer(const stoa_state_view *view, const uint8_t *key, size_t size,
                                  uint64_t after, uint64_t *out, stoa_error *err) {
    struct sought sought = {&view->definition->key, key, size, after, 0};
    *out = 0;
    for (int32_t i = 0; i < view->memtable_count && sought.found == 0; i++) {
        STOA_TRY(look_in_memtable(&sought, view->memtables[i], err));
    }
    for (int level = 0; level < STOA_LEVELS && sought.found == 0; level++) {
        STOA_TRY(look_in_level(&sought, &view->version->levels[level], level == 0, err));
    }
    *out = sought.found;
    return STOA_OK;
}
