/* What was damaged is kept: it has a second name in a folder beside before anything changes, and loses the
 * first one when nothing names it any more. A segment of the log is copied, as its file may be used again. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/repair_internal.h"

enum { NAMES_MAX = 1000 };

/* Under a name that nothing has yet: an earlier repair may have been cut off. */
static stoa_status keep(const stoa_repair *repair, const char *name, bool may_link,
                        stoa_error *err) {
    const stoa_manifest_place *place = &repair->place;
    stoa_pool *pool = place->context.pool;
    char *from = NULL;
    stoa_status status = stoa_repair_uri(repair, name, &from, err);
    for (int i = 0; i < NAMES_MAX && status == STOA_OK; i++) {
        char kept[80], again[16] = "", *to = NULL;
        if (i > 0) {
            (void)snprintf(again, sizeof again, ".%d", i);
        }
        (void)snprintf(kept, sizeof kept, "%s/%s%s", STOA_REPAIR_FOLDER, name, again);
        STOA_CHECK(stoa_repair_uri(repair, kept, &to, err));
        status = may_link
                     ? stoa_vfs_link_or_copy(place->file_systems, from, to, &place->context, err)
                     : stoa_vfs_copy(place->file_systems, from, to, &place->context, err);
        stoa_pool_free_string(pool, to);
        if (status != STOA_EXISTS) {
            break;
        }
        stoa_error_clear(err);
        if (i + 1 < NAMES_MAX) {
            status = STOA_OK;
        } else {
            status = stoa_fail(err, STOA_LIMIT, "expected fewer than %d files '%s' in '%s'",
                               NAMES_MAX, name, STOA_REPAIR_FOLDER);
        }
    }

done:
    stoa_pool_free_string(pool, from);
    return status;
}

static void file_name(const stoa_repair_file *file, char out[32]) {
    (void)snprintf(out, 32, "%016" PRIx64 ".sst", file->number);
}

static stoa_status make_folder(const stoa_repair *repair, char **out, stoa_error *err) {
    STOA_TRY(stoa_repair_uri(repair, STOA_REPAIR_FOLDER, out, err));
    return stoa_vfs_make_directories(repair->place.file_systems, *out, &repair->place.context, err);
}

stoa_status stoa_repair_keep_all(stoa_repair *repair, stoa_error *err) {
    const stoa_manifest_place *place = &repair->place;
    const uint64_t *segments = (const uint64_t *)(const void *)repair->segments.data;
    char *folder = NULL, name[32];
    stoa_status status = STOA_OK;
    STOA_CHECK(make_folder(repair, &folder, err));
    for (int64_t i = 0; i < repair->file_count; i++) {
        if (repair->files[i].is_damaged && !repair->files[i].is_missing) {
            file_name(&repair->files[i], name);
            STOA_CHECK(keep(repair, name, true, err));
        }
    }
    for (size_t i = 0; i < repair->segments.size / sizeof *segments; i++) {
        (void)snprintf(name, sizeof name, "%016" PRIx64 ".log", segments[i]);
        STOA_CHECK(keep(repair, name, false, err));
    }
    status = stoa_vfs_sync_directory(place->file_systems, folder, &place->context, err);

done:
    stoa_pool_free_string(place->context.pool, folder);
    return status;
}

/* What cannot be removed now is when the store is opened next, as any file that no manifest names. */
void stoa_repair_remove_all(stoa_repair *repair) {
    for (int64_t i = 0; i < repair->file_count; i++) {
        char *uri = NULL, name[32];
        if (!repair->files[i].is_damaged) {
            continue;
        }
        file_name(&repair->files[i], name);
        if (stoa_repair_uri(repair, name, &uri, NULL) == STOA_OK) {
            STOA_IGNORE(stoa_vfs_remove(repair->place.file_systems, uri, NULL, NULL));
        }
        stoa_pool_free_string(repair->place.context.pool, uri);
    }
}
