/* A few edits, and what a manifest says after each of them: for tests that break off in between. */
#ifndef STOA_TESTS_MANIFEST_HISTORY_H
#define STOA_TESTS_MANIFEST_HISTORY_H

#include "manifest_model.h"

enum { HISTORY_EDITS = 10 };

struct history {
    struct model_edit edits[HISTORY_EDITS];
    struct model models[HISTORY_EDITS + 1];
    int acknowledged; /* edits that the last run was told are there */
    bool retries;     /* an append that fails is tried once more */
    bool is_wrong;    /* a run saw a state that it should not have seen */
};

/* Moves every file, so that the log grows and what it says does not. */
static inline void history_move_all(support_random *random, const struct model *model,
                                    struct model_edit *out) {
    out->edit = (stoa_manifest_edit){.removed = out->removed, .added = out->added};
    for (int i = 0; i < model->file_count && i < MODEL_CHANGES; i++) {
        const stoa_manifest_file *file = &model->files[i].file;
        out->removed[out->edit.removed_count++] = (stoa_manifest_removal){file->table_id,
                                                                          file->info.number};
        model_random_file(random, out, file->table_id, file->info.number);
    }
}

static inline struct history *history_make(uint64_t seed) {
    struct history *history = calloc(1, sizeof *history);
    support_random random = {seed};
    model_init(&history->models[0]);
    for (int i = 0; i < HISTORY_EDITS; i++) {
        if (history->models[i].file_count < 8 || i == HISTORY_EDITS - 1) {
            model_random_edit(&random, &history->models[i], &history->edits[i]);
        } else {
            history_move_all(&random, &history->models[i], &history->edits[i]);
        }
        history->models[i + 1] = history->models[i];
        model_apply(&history->models[i + 1], &history->edits[i].edit);
    }
    return history;
}

static inline stoa_manifest_options history_options(const support_world *world) {
    return (stoa_manifest_options){.context = {.pool = world->pool},
                                   .file_systems = world->registry,
                                   .directory = "test:/db/state",
                                   .create = true,
                                   .checkpoint_bytes = 1};
}

/* Appends what is missing from `from` on. */
static inline stoa_status history_append(struct history *history, stoa_manifest *manifest, int from,
                                         stoa_error *err) {
    for (history->acknowledged = from; history->acknowledged < HISTORY_EDITS;
         history->acknowledged++) {
        const int at = history->acknowledged;
        stoa_status status = stoa_manifest_append(manifest, &history->edits[at].edit, err);
        history->is_wrong |= !model_same(&history->models[at + (status == STOA_OK)],
                                         stoa_manifest_state_of(manifest));
        if (status != STOA_OK && history->retries) {
            status = stoa_manifest_append(manifest, &history->edits[at].edit, err);
        }
        STOA_TRY(status);
    }
    return STOA_OK;
}

static inline stoa_status history_run(support_world *world, void *user, stoa_error *err) {
    struct history *history = user;
    const stoa_manifest_options options = history_options(world);
    stoa_manifest *manifest = NULL;
    history->acknowledged = 0;
    STOA_TRY(stoa_manifest_open(&options, &manifest, err));
    const stoa_status status = history_append(history, manifest, 0, err);
    stoa_manifest_close(manifest);
    return status;
}

/* All that was acknowledged is there, perhaps the edit after it, and nothing half. From there it goes
 * on as if nothing had been. */
static inline void history_check(support_world *world, void *user, stoa_status status) {
    struct history *history = user;
    const stoa_manifest_options options = history_options(world);
    const int acknowledged = history->acknowledged;
    stoa_manifest *manifest = NULL;
    stoa_error err;
    assert_false(history->is_wrong);
    assert_true(status != STOA_OK || acknowledged == HISTORY_EDITS);
    assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
    const bool has_next = acknowledged < HISTORY_EDITS &&
                          model_same(&history->models[acknowledged + 1],
                                     stoa_manifest_state_of(manifest));
    assert_true(has_next ||
                model_same(&history->models[acknowledged], stoa_manifest_state_of(manifest)));
    assert_ok(history_append(history, manifest, acknowledged + has_next, &err), err);
    stoa_manifest_close(manifest);
    assert_false(history->is_wrong);
    assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
    assert_true(model_same(&history->models[HISTORY_EDITS], stoa_manifest_state_of(manifest)));
    stoa_manifest_close(manifest);
}

#endif
