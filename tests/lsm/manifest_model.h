/* What a manifest should say, as plain lists, and random edits of it. */
#ifndef STOA_TESTS_MANIFEST_MODEL_H
#define STOA_TESTS_MANIFEST_MODEL_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "lsm/manifest.h"
#include "support.h"

enum { MODEL_TABLES = 40, MODEL_FILES = 600, MODEL_KEY = 24, MODEL_CHANGES = 24 };

struct model_table {
    int64_t id;
    char definition[48];
};

struct model_file {
    stoa_manifest_file file; /* its keys are those below */
    uint8_t first_key[MODEL_KEY];
    uint8_t last_key[MODEL_KEY];
};

struct model {
    struct model_table tables[MODEL_TABLES];
    int table_count;
    struct model_file files[MODEL_FILES];
    int file_count;
    int64_t next_table;
    uint64_t log_segment, next_file, last_sequence, flushed_sequence;
};

/* An edit and what it borrows. */
struct model_edit {
    stoa_manifest_edit edit;
    stoa_manifest_table tables[MODEL_CHANGES];
    char definitions[MODEL_CHANGES][48];
    int64_t dropped[MODEL_CHANGES];
    stoa_manifest_removal removed[MODEL_CHANGES];
    stoa_manifest_file added[MODEL_CHANGES];
    uint8_t keys[MODEL_CHANGES][2][MODEL_KEY];
};

static inline void model_init(struct model *model) {
    *model = (struct model){.next_table = 1, .next_file = 1};
}

static inline int model_find_file(const struct model *model, int64_t table_id, uint64_t number) {
    for (int i = 0; i < model->file_count; i++) {
        const stoa_manifest_file *file = &model->files[i].file;
        if (file->table_id == table_id && file->info.number == number) {
            return i;
        }
    }
    return -1;
}

static inline int model_find_table(const struct model *model, int64_t id) {
    for (int i = 0; i < model->table_count; i++) {
        if (model->tables[i].id == id) {
            return i;
        }
    }
    return -1;
}

/* ---- Applying -------------------------------------------------------------------------------- */

static inline void model_remove_file(struct model *model, int at) {
    memmove(&model->files[at], &model->files[at + 1],
            (size_t)(model->file_count - at - 1) * sizeof model->files[0]);
    model->file_count--;
}

static inline void model_drop(struct model *model, int64_t id) {
    for (int i = model->file_count - 1; i >= 0; i--) {
        if (model->files[i].file.table_id == id) {
            model_remove_file(model, i);
        }
    }
    const int at = model_find_table(model, id);
    memmove(&model->tables[at], &model->tables[at + 1],
            (size_t)(model->table_count - at - 1) * sizeof model->tables[0]);
    model->table_count--;
}

static inline void model_apply(struct model *model, const stoa_manifest_edit *edit) {
    for (int32_t i = 0; i < edit->dropped_count; i++) {
        model_drop(model, edit->dropped[i]);
    }
    for (int32_t i = 0; i < edit->table_count; i++) {
        int at = model_find_table(model, edit->tables[i].id);
        at = at < 0 ? model->table_count++ : at;
        model->tables[at].id = edit->tables[i].id;
        snprintf(model->tables[at].definition, sizeof model->tables[at].definition, "%s",
                 edit->tables[i].definition);
    }
    for (int64_t i = 0; i < edit->removed_count; i++) {
        model_remove_file(model, model_find_file(model, edit->removed[i].table_id,
                                                 edit->removed[i].number));
    }
    for (int64_t i = 0; i < edit->added_count; i++) {
        struct model_file *place = &model->files[model->file_count++];
        const stoa_table_file_info *info = &edit->added[i].info;
        place->file = edit->added[i];
        memcpy(place->first_key, info->first_key.data, info->first_key.size);
        memcpy(place->last_key, info->last_key.data, info->last_key.size);
    }
    model->log_segment = edit->log_segment > 0 ? edit->log_segment : model->log_segment;
    model->next_file = edit->next_file > 0 ? edit->next_file : model->next_file;
    model->last_sequence = edit->last_sequence > 0 ? edit->last_sequence : model->last_sequence;
    model->flushed_sequence = edit->flushed_sequence > 0 ? edit->flushed_sequence
                                                         : model->flushed_sequence;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static inline bool model_same_file(const struct model_file *expected,
                                   const stoa_manifest_file *found) {
    const stoa_table_file_info *a = &expected->file.info;
    const stoa_table_file_info *b = &found->info;
    return a->level == b->level && a->bytes == b->bytes && a->row_count == b->row_count &&
           a->delete_count == b->delete_count && a->sequence_min == b->sequence_min &&
           a->sequence_max == b->sequence_max && a->expires_ms == b->expires_ms &&
           stoa_bytes_compare(expected->first_key, a->first_key.size, b->first_key.data,
                              b->first_key.size) == 0 &&
           stoa_bytes_compare(expected->last_key, a->last_key.size, b->last_key.data,
                              b->last_key.size) == 0;
}

/* Whether a state says what the model says. */
static inline bool model_same(const struct model *model, const stoa_manifest_state *state) {
    bool same = model->table_count == state->table_count &&
                model->file_count == state->file_count &&
                model->log_segment == state->log_segment && model->next_file == state->next_file &&
                model->last_sequence == state->last_sequence &&
                model->flushed_sequence == state->flushed_sequence;
    for (int i = 0; same && i < state->table_count; i++) {
        const int at = model_find_table(model, state->tables[i].id);
        same = at >= 0 && (i == 0 || state->tables[i - 1].id < state->tables[i].id) &&
               strcmp(model->tables[at].definition, state->tables[i].definition) == 0;
    }
    for (int i = 0; same && i < model->file_count; i++) {
        const int at = model_find_file(model, state->files[i].table_id,
                                       state->files[i].info.number);
        same = at >= 0 && model_same_file(&model->files[at], &state->files[i]);
    }
    return same;
}

/* ---- Random edits ---------------------------------------------------------------------------- */

static inline void model_random_file(support_random *random, struct model_edit *out, int64_t id,
                                     uint64_t number) {
    const int64_t at = out->edit.added_count++;
    const size_t first = (size_t)support_random_below(random, MODEL_KEY + 1);
    const size_t last = (size_t)support_random_below(random, MODEL_KEY + 1);
    support_random_bytes(random, out->keys[at][0], first);
    support_random_bytes(random, out->keys[at][1], last);
    /* Numbers of every length. */
    const uint64_t wide = support_random_u64(random) >> support_random_below(random, 64);
    out->added[at] = (stoa_manifest_file){
        .table_id = id,
        .info = {.number = number,
                 .level = (int32_t)support_random_below(random, STOA_LEVELS),
                 .bytes = wide,
                 .row_count = (int64_t)(wide >> 1),
                 .delete_count = (int64_t)(wide >> 7),
                 .sequence_min = wide / 3,
                 .sequence_max = wide,
                 .expires_ms = support_random_bool(random) ? 0 : -(int64_t)(wide >> 1),
                 .first_key = {.data = out->keys[at][0], .size = first},
                 .last_key = {.data = out->keys[at][1], .size = last}}};
}

static inline void model_random_tables(support_random *random, const struct model *model,
                                       struct model_edit *out) {
    const bool is_new = model->table_count == 0 || (model->table_count < MODEL_TABLES - 3 &&
                                                    support_random_below(random, 12) == 0);
    stoa_manifest_edit *edit = &out->edit;
    if (model->table_count > 1 && support_random_below(random, 15) == 0) {
        out->dropped[edit->dropped_count++] =
            model->tables[support_random_below(random, (uint64_t)model->table_count)].id;
    }
    for (uint64_t i = support_random_below(random, 3); is_new && i < 3; i++) {
        out->tables[edit->table_count++].id = model->next_table + (int64_t)(2 - i);
    }
    if (!is_new && edit->dropped_count == 0 && support_random_below(random, 10) == 0) {
        out->tables[edit->table_count++].id =
            model->tables[support_random_below(random, (uint64_t)model->table_count)].id;
    }
    for (int i = 0; i < edit->table_count; i++) {
        snprintf(out->definitions[i], sizeof out->definitions[i], "{\"table\":%" PRIu64 "}",
                 support_random_u64(random) >> support_random_below(random, 64));
        out->tables[i].definition = out->definitions[i];
    }
}

static inline void model_random_files(support_random *random, struct model *model,
                                      struct model_edit *out) {
    stoa_manifest_edit *edit = &out->edit;
    uint64_t next = model->next_file;
    for (int i = 0; i < model->file_count && edit->removed_count < 8; i++) {
        const stoa_manifest_file *file = &model->files[i].file;
        const bool is_dropped = edit->dropped_count > 0 && file->table_id == edit->dropped[0];
        if (!is_dropped && support_random_below(random, 12) == 0) {
            out->removed[edit->removed_count++] = (stoa_manifest_removal){file->table_id,
                                                                          file->info.number};
            if (support_random_below(random, 4) == 0) { /* it moves */
                model_random_file(random, out, file->table_id, file->info.number);
            }
        }
    }
    for (uint64_t i = support_random_below(random, 10);
         i > 0 && model->file_count + (int)edit->added_count < MODEL_FILES; i--) {
        const int64_t id =
            edit->table_count > 0
                ? out->tables[0].id
                : model->tables[support_random_below(random, (uint64_t)model->table_count)].id;
        if (edit->dropped_count == 0 || id != edit->dropped[0]) {
            /* The number alone is no name: two tables may have the same. */
            model_random_file(random, out, id, next);
            next += 1 + support_random_below(random, 3);
        }
    }
    edit->next_file = next > model->next_file ? next : 0;
}

/* An edit that follows. */
static inline void model_random_edit(support_random *random, struct model *model,
                                     struct model_edit *out) {
    stoa_manifest_edit *edit = &out->edit;
    *edit = (stoa_manifest_edit){.tables = out->tables,
                                 .dropped = out->dropped,
                                 .removed = out->removed,
                                 .added = out->added};
    model_random_tables(random, model, out);
    model_random_files(random, model, out);
    for (int i = 0; i < edit->table_count; i++) {
        if (edit->tables[i].id >= model->next_table) {
            model->next_table = edit->tables[i].id + 1;
        }
    }
    if (support_random_below(random, 4) == 0) {
        edit->log_segment = model->log_segment + 1 + support_random_below(random, 3);
        edit->last_sequence = model->last_sequence + 1 + support_random_below(random, 1000);
        edit->flushed_sequence = model->flushed_sequence + 1;
    }
}

#endif
