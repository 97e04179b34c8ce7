/* Repairing a store. Everything is looked at first. If nothing is damaged nothing is written. Else what is
 * new is written beside what there is, a manifest last, and then `CURRENT` is renamed over: until that
 * moment the store is as damaged as it was, and repair can begin again. */
#include "lsm/repair.h"

#include "lsm/repair_internal.h"

void stoa_repair_report(stoa_repair *repair, int64_t table_id, stoa_error *damage) {
    const stoa_store_repair_options *options = repair->options;
    damage->status = STOA_CORRUPT;
    repair->result.damage_count++;
    if (options->function != NULL) {
        options->function(options->user, table_id, damage);
    }
    stoa_error_clear(damage);
}

static stoa_status write_manifest(stoa_repair *repair, stoa_error *err) {
    const uint64_t number = repair->manifest_max + 1;
    stoa_manifest_writer writer;
    STOA_TRY(stoa_manifest_writer_create(&writer, &repair->place, number, &repair->contents.state,
                                         NULL, err));
    stoa_manifest_writer_close(&writer);
    return stoa_manifest_current_write(&repair->place, number, err);
}

static stoa_status check_there(const stoa_repair *repair, stoa_error *err) {
    bool is_there = false;
    STOA_TRY(stoa_vfs_exists(repair->place.file_systems, repair->place.directory,
                             &repair->place.context, &is_there, err));
    return is_there ? STOA_OK : stoa_fail(err, STOA_NOT_FOUND, "there are no state tables");
}

static stoa_status run(stoa_repair *repair, stoa_error *err) {
    STOA_TRY(check_there(repair, err));
    STOA_TRY(stoa_manifest_lock(&repair->place, &repair->lock, err));
    STOA_TRY(stoa_repair_find_manifest(repair, err));
    return repair->result.damage_count == 0 || repair->options->dry_run
               ? STOA_OK
               : write_manifest(repair, err);
}

stoa_status stoa_store_repair(const stoa_store_repair_options *options,
                              stoa_state_repair_result *out, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE; /* damage is reported through one */
    stoa_repair repair = {
        .options = options,
        .place = {options->context, options->file_systems, options->directory},
    };
    stoa_manifest_contents_init(&repair.contents, options->context.pool);
    const stoa_status status = run(&repair, &own);
    stoa_manifest_contents_release(&repair.contents);
    stoa_file_close(repair.lock);
    *out = repair.result;
    if (status != STOA_OK) {
        stoa_wrap(&own, "repairing the state tables in %s", options->directory);
        if (err != NULL) {
            *err = own;
        }
    }
    return status;
}
