/* Which manifest a repair goes by: the one that `CURRENT` names, or, where that says nothing or names one
 * that is damaged, the newest of those in the directory that are whole. What a crash may have left beside
 * the one that counts says the same as that, or one edit more. */
#include <stdlib.h>

#include "lsm/repair_internal.h"

struct search {
    stoa_repair *repair;
    stoa_buffer numbers;  /* uint64_t, of the manifests in the directory */
    bool has_other_files; /* of a store */
};

static stoa_status add_name(void *user, const char *name, const stoa_file_info *info,
                            stoa_error *err) {
    struct search *search = user;
    stoa_repair *repair = search->repair;
    const size_t size = strlen(name);
    uint64_t number;
    if (info->is_directory) {
        return STOA_OK;
    }
    if (stoa_manifest_parse_name(name, size, &number)) {
        repair->manifest_max = number > repair->manifest_max ? number : repair->manifest_max;
        return stoa_buffer_append(&search->numbers, &number, sizeof number, err);
    }
    if (stoa_table_file_parse_name(name, &number)) {
        repair->file_max = number > repair->file_max ? number : repair->file_max;
        search->has_other_files = true;
    }
    search->has_other_files = search->has_other_files ||
                              (size > 4 && strcmp(name + size - 4, ".log") == 0);
    return STOA_OK;
}

static int compare_down(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a < b) - (a > b);
}

static stoa_status load(stoa_repair *repair, uint64_t number, stoa_error *err) {
    stoa_manifest_contents contents;
    stoa_manifest_log log;
    STOA_TRY(stoa_manifest_log_open(&log, &repair->place, number, err));
    stoa_manifest_contents_init(&contents, repair->place.context.pool);
    contents.state.next_file = 1;
    const stoa_status status = stoa_manifest_log_read(&log, repair->place.context.cancel, &contents,
                                                      err);
    stoa_manifest_log_release(&log);
    if (status != STOA_OK) {
        stoa_manifest_contents_release(&contents);
        return status;
    }
    stoa_manifest_contents_release(&repair->contents);
    repair->contents = contents;
    if (contents.state.next_file > repair->file_max + 1) {
        repair->file_max = contents.state.next_file - 1;
    }
    return STOA_OK;
}

static bool is_damage(stoa_status status) {
    return status == STOA_NOT_FOUND || status == STOA_CORRUPT;
}

/* `*out_number` is 0 where CURRENT names none. */
static stoa_status load_current(struct search *search, uint64_t *out_number, stoa_error *err) {
    stoa_repair *repair = search->repair;
    *out_number = 0;
    stoa_status status = stoa_manifest_current_read(&repair->place, out_number, err);
    if (status == STOA_NOT_FOUND && search->numbers.size == 0 && !search->has_other_files) {
        return stoa_fail(err, STOA_NOT_FOUND, "there are no state tables");
    }
    if (status == STOA_OK) {
        repair->manifest_max = *out_number > repair->manifest_max ? *out_number
                                                                  : repair->manifest_max;
        status = load(repair, *out_number, err);
    } else {
        *out_number = 0;
    }
    return status;
}

static stoa_status take_newest(struct search *search, uint64_t tried, uint64_t *out_taken,
                               stoa_error *err) {
    const uint64_t *numbers = (const uint64_t *)(const void *)search->numbers.data;
    const size_t count = search->numbers.size / sizeof *numbers;
    if (count > 0) {
        qsort(search->numbers.data, count, sizeof *numbers, compare_down);
    }
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == tried) {
            continue;
        }
        const stoa_status status = load(search->repair, numbers[i], err);
        if (status == STOA_OK || !is_damage(status)) {
            *out_taken = numbers[i];
            return status;
        }
        stoa_error_clear(err); /* a crash may have left it half-written */
    }
    return stoa_fail(err, STOA_CORRUPT, "no manifest is whole: which files are of which table is lost");
}

stoa_status stoa_repair_find_manifest(stoa_repair *repair, stoa_error *err) {
    struct search search = {.repair = repair};
    uint64_t number = 0, taken = 0;
    stoa_buffer_init(&search.numbers, repair->place.context.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_list(repair->place.file_systems, repair->place.directory,
                             &repair->place.context, add_name, &search, err));
    status = load_current(&search, &number, err);
    const bool has_store = search.numbers.size > 0 || search.has_other_files || number != 0;
    if (is_damage(status) && has_store) {
        stoa_error damage = *err;
        stoa_error_clear(err);
        status = take_newest(&search, number, &taken, err);
        if (status == STOA_OK) {
            stoa_wrap(&damage, "what there is is taken from manifest %016" PRIx64, taken);
        }
        stoa_repair_report(repair, 0, &damage);
    }

done:
    stoa_buffer_release(&search.numbers);
    return status;
}
