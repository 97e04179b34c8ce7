/* Pipelines made of numbers, for the tests: a source whose parts follow from a seed, operators that
 * pass, drop, shrink, replace and split, and sinks that remember. Every stage can be told to fail at
 * one place, and checks that nobody else is in its local at the same time. */
#ifndef STOA_TESTS_PIPELINE_WORLD_H
#define STOA_TESTS_PIPELINE_WORLD_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/owner.h"
#include "arrow/schema.h"
#include "base/hash.h"
#include "pipeline/pipeline.h"
#include "support.h"

enum { WORLD_OPERATORS_MAX = 6, WORLD_NOWHERE = -1 };

enum world_kind { WORLD_PASS, WORLD_DROP, WORLD_SHRINK, WORLD_REPLACE, WORLD_SPLIT, WORLD_KINDS };

/* A place in the order; part WORLD_NOWHERE: none. */
struct world_place {
    int64_t part;
    int64_t index;
};

/* Values in the order in which they came. */
struct world_list {
    int64_t *values;
    int64_t count;
    int64_t room;
};

struct world;

struct world_operator {
    struct world *world;
    enum world_kind kind;
    struct world_place fails;
};

struct world {
    stoa_pool *pool;
    uint64_t seed;
    int64_t part_count;
    int64_t morsels_max; /* of a part */
    int64_t rows_max;    /* of a morsel */
    bool serial;
    struct world_operator operators[WORLD_OPERATORS_MAX];
    stoa_pipeline_operator stages[WORLD_OPERATORS_MAX];
    int32_t operator_count;
    struct world_place source_fails;
    struct world_place sink_fails;
    stoa_cancel *cancel;
    int64_t cancel_at; /* the morsel of the source, by number, at which the token is triggered */

    _Atomic int64_t next_part;
    _Atomic int64_t fetched;
    _Atomic int64_t locals;
    struct world_place cursor; /* serial: the place to be handed out */
    struct world_list list;    /* of the sink, in the end */
    bool finished;
};

struct world_local {
    atomic_flag busy;
    stoa_pool *pool;
    struct world_list list;
};

static inline void world_add(struct world_list *list, const int64_t *values, int64_t count) {
    if (list->count + count > list->room) {
        list->room = (list->count + count) * 2;
        list->values = realloc(list->values, (size_t)list->room * sizeof *values);
    }
    if (count > 0) {
        memcpy(list->values + list->count, values, (size_t)count * sizeof *values);
    }
    list->count += count;
}

/* ---- what a place holds ---------------------------------------------------------------------- */

static inline uint64_t world_hash(const struct world *world, int64_t a, int64_t b) {
    return stoa_hash_u64(world->seed + stoa_hash_u64((uint64_t)a * 1000003u + (uint64_t)b));
}

static inline int64_t world_morsels(const struct world *world, int64_t part) {
    return 1 + (int64_t)(world_hash(world, part, -1) % (uint64_t)world->morsels_max);
}

/* -1: the end of a part, without a batch. */
static inline int64_t world_rows(const struct world *world, int64_t part, int64_t index) {
    const uint64_t hash = world_hash(world, part, index);
    if (index + 1 == world_morsels(world, part) && hash % 3 == 0) {
        return -1;
    }
    return (int64_t)((hash >> 8) % (uint64_t)(world->rows_max + 1));
}

static inline int64_t world_value(const struct world *world, int64_t part, int64_t index,
                                  int64_t row) {
    (void)world;
    return (part * 1000 + index) * 1000 + row;
}

static inline bool world_is(struct world_place fails, int64_t part, int64_t index) {
    return fails.part == part && fails.index == index;
}

/* ---- batches of one column of int64 ----------------------------------------------------------- */

static inline stoa_status world_batch(stoa_pool *pool, const int64_t *values, int64_t count,
                                      struct ArrowArray *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, pool);
    *out = (struct ArrowArray){0};
    STOA_CHECK(stoa_arrow_array_init(pool, 1, 1, false, out, err));
    STOA_CHECK(stoa_arrow_array_init(pool, 2, 0, false, out->children[0], err));
    STOA_CHECK(stoa_buffer_append(&bytes, values, (size_t)count * sizeof *values, err));
    stoa_arrow_array_set_buffer(out->children[0], 1, &bytes);
    out->length = count;
    out->children[0]->length = count;

done:
    stoa_buffer_release(&bytes);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

static inline const int64_t *world_values(const struct ArrowArray *batch) {
    const struct ArrowArray *column = batch->children[0];
    return (const int64_t *)column->buffers[1] + column->offset;
}

/* ---- locals ----------------------------------------------------------------------------------- */

static inline stoa_status world_open_local(void *state, const stoa_context *context,
                                           void **out_local, stoa_error *err) {
    (void)state;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct world_local), &memory, err));
    struct world_local *local = memory;
    atomic_flag_clear(&local->busy);
    local->pool = context->pool;
    *out_local = local;
    return STOA_OK;
}

static inline void world_close_local(void *state, void *user) {
    (void)state;
    struct world_local *local = user;
    free(local->list.values);
    stoa_pool_free(local->pool, local, sizeof *local);
}

static inline void world_enter(struct world_local *local) {
    if (atomic_flag_test_and_set(&local->busy)) {
        fprintf(stderr, "two threads are in one local\n");
        abort();
    }
}

static inline void world_leave(struct world_local *local) {
    atomic_flag_clear(&local->busy);
}

/* ---- the source ------------------------------------------------------------------------------- */

static inline stoa_status world_make(struct world *world, stoa_morsel *out, int64_t part,
                                     int64_t index, stoa_error *err) {
    const int64_t rows = world_rows(world, part, index);
    out->bytes = rows > 0 ? (uint64_t)rows * 8 : 0;
    if (atomic_fetch_add(&world->fetched, 1) == world->cancel_at) {
        stoa_cancel_trigger(world->cancel);
    }
    if (world_is(world->source_fails, part, index)) {
        return stoa_fail(err, STOA_IO, "source %d.%d", (int)part, (int)index);
    }
    if (rows < 0) {
        return STOA_OK;
    }
    int64_t *values = malloc((size_t)(rows + 1) * sizeof *values);
    for (int64_t row = 0; row < rows; row++) {
        values[row] = world_value(world, part, index, row);
    }
    stoa_status status = world_batch(world->pool, values, rows, &out->batch, err);
    free(values);
    return status;
}

/* A serial source gives a batch each time; where parts end is of no interest. */
static inline stoa_status world_next_serial(struct world *world, stoa_morsel *out, bool *out_more,
                                            stoa_error *err) {
    for (;;) {
        const struct world_place at = world->cursor;
        if (at.part >= world->part_count) {
            *out_more = false;
            return STOA_OK;
        }
        world->cursor.index++;
        if (world->cursor.index == world_morsels(world, at.part)) {
            world->cursor = (struct world_place){at.part + 1, 0};
        }
        STOA_TRY(world_make(world, out, at.part, at.index, err));
        if (out->batch.release != NULL) {
            return STOA_OK;
        }
    }
}

static inline stoa_status world_next(void *state, void *user, stoa_morsel *out, bool *out_more,
                                     stoa_error *err) {
    struct world *world = state;
    struct world_local *local = user;
    stoa_status status;
    world_enter(local);
    if (world->serial) {
        status = world_next_serial(world, out, out_more, err);
    } else {
        if (out->part < 0) {
            out->part = atomic_fetch_add(&world->next_part, 1);
        }
        *out_more = out->part < world->part_count;
        out->last = *out_more && out->index + 1 == world_morsels(world, out->part);
        status = *out_more ? world_make(world, out, out->part, out->index, err) : STOA_OK;
    }
    world_leave(local);
    return status;
}

/* ---- operators -------------------------------------------------------------------------------- */

/* The place that a batch came from, which serial sources do not tell. */
static inline struct world_place world_place_of(int64_t value) {
    return (struct world_place){value / 1000000, value / 1000 % 1000};
}

static inline struct world_place world_place_of_batch(const struct ArrowArray *batch) {
    return batch->length == 0 ? (struct world_place){-2, -2}
                              : world_place_of(world_values(batch)[0]);
}

static inline stoa_status world_slice(struct world *world, stoa_morsel *morsel, int64_t offset,
                                      int64_t length, struct ArrowArray *out, stoa_error *err) {
    return stoa_arrow_slice(world->pool, &morsel->batch, offset, length, out, err);
}

static inline stoa_status world_split(struct world *world, stoa_morsel *morsel,
                                      const stoa_pipeline_stage *next, stoa_error *err) {
    const int64_t length = morsel->batch.length;
    for (int64_t from = 0; from < length; from += 7) {
        stoa_morsel piece = *morsel;
        const int64_t count = length - from < 7 ? length - from : 7;
        STOA_TRY(world_slice(world, morsel, from, count, &piece.batch, err));
        STOA_TRY(stoa_pipeline_push(next, &piece, err));
    }
    return STOA_OK;
}

static inline stoa_status world_apply(struct world_operator *self, stoa_morsel *morsel,
                                      const stoa_pipeline_stage *next, stoa_error *err) {
    struct world *world = self->world;
    const struct world_place place = world_place_of_batch(&morsel->batch);
    struct ArrowArray made = {0};
    if (world_is(self->fails, place.part, place.index)) {
        return stoa_fail(err, STOA_INVALID, "operator %d.%d", (int)place.part, (int)place.index);
    }
    switch (self->kind) {
    case WORLD_DROP:
        if (place.index % 3 == 1) {
            return STOA_OK;
        }
        break;
    case WORLD_SPLIT: return world_split(world, morsel, next, err);
    case WORLD_SHRINK:
        STOA_TRY(world_slice(world, morsel, 0, (morsel->batch.length + 1) / 2, &made, err));
        break;
    case WORLD_REPLACE:
        STOA_TRY(world_batch(world->pool, world_values(&morsel->batch), morsel->batch.length, &made,
                             err));
        break;
    default: break;
    }
    if (made.release != NULL) {
        stoa_arrow_array_release(&morsel->batch);
        morsel->batch = made;
    }
    return stoa_pipeline_push(next, morsel, err);
}

static inline stoa_status world_push(void *state, void *user, stoa_morsel *morsel,
                                     const stoa_pipeline_stage *next, stoa_error *err) {
    struct world_local *local = user;
    world_enter(local);
    stoa_status status = world_apply(state, morsel, next, err);
    world_leave(local);
    return status;
}

/* ---- sinks ------------------------------------------------------------------------------------ */

static inline stoa_status world_consume(void *state, void *user, stoa_morsel *morsel,
                                        stoa_error *err) {
    struct world *world = state;
    struct world_local *local = user;
    stoa_status status = STOA_OK;
    const struct world_place place = world_place_of_batch(&morsel->batch);
    world_enter(local);
    if (world_is(world->sink_fails, place.part, place.index)) {
        status = stoa_fail(err, STOA_LIMIT, "sink %d.%d", (int)place.part, (int)place.index);
    } else {
        world_add(&local->list, world_values(&morsel->batch), morsel->batch.length);
    }
    world_leave(local);
    return status;
}

static inline stoa_status world_combine(void *state, void *user, stoa_error *err) {
    (void)err;
    struct world *world = state;
    struct world_local *local = user;
    world_enter(local);
    world_add(&world->list, local->list.values, local->list.count);
    local->list.count = 0;
    world_leave(local);
    return STOA_OK;
}

/* What the sink had consumed when the run failed counts as well. */
static inline void world_sink_close(void *state, void *local) {
    STOA_IGNORE(world_combine(state, local, NULL));
    world_close_local(state, local);
}

static inline stoa_status world_finish(void *state, stoa_error *err) {
    (void)err;
    ((struct world *)state)->finished = true;
    return STOA_OK;
}

/* ---- all of it -------------------------------------------------------------------------------- */

static inline void world_init(struct world *world, stoa_pool *pool, uint64_t seed) {
    *world = (struct world){.pool = pool,
                            .seed = seed,
                            .part_count = 1,
                            .morsels_max = 1,
                            .rows_max = 10,
                            .source_fails = {WORLD_NOWHERE, 0},
                            .sink_fails = {WORLD_NOWHERE, 0},
                            .cancel_at = -1};
}

/* Runs again from the beginning. */
static inline void world_rewind(struct world *world) {
    atomic_store(&world->next_part, 0);
    atomic_store(&world->fetched, 0);
    world->cursor = (struct world_place){0, 0};
    world->list.count = 0;
    world->finished = false;
}

static inline void world_release(struct world *world) {
    free(world->list.values);
    world->list = (struct world_list){0};
}

static inline void world_add_operator(struct world *world, enum world_kind kind) {
    struct world_operator *self = &world->operators[world->operator_count];
    *self = (struct world_operator){world, kind, {WORLD_NOWHERE, 0}};
    world->stages[world->operator_count++] =
        (stoa_pipeline_operator){.state = self,
                                 .open_local = world_open_local,
                                 .push = world_push,
                                 .close_local = world_close_local};
}

static inline stoa_pipeline world_pipeline(struct world *world,
                                           const stoa_pipeline_options *options) {
    return (stoa_pipeline){.source = {.state = world,
                                      .serial = world->serial,
                                      .foreign = world->seed % 2 == 1,
                                      .open_local = world_open_local,
                                      .next = world_next,
                                      .close_local = world_close_local},
                           .operators = world->stages,
                           .operator_count = world->operator_count,
                           .sink = {.state = world,
                                    .open_local = world_open_local,
                                    .consume = world_consume,
                                    .combine = world_combine,
                                    .close_local = world_sink_close,
                                    .finish = world_finish},
                           .options = *options};
}

/* ---- the reference: loops over lists ----------------------------------------------------------- */

/* Carries values through operators [stage, …) and the sink; false: something fails there. */
static inline bool world_expect_push(const struct world *world, int32_t stage,
                                     const int64_t *values, int64_t count, struct world_list *out,
                                     stoa_status *out_status) {
    const struct world_place place = count == 0 ? (struct world_place){-2, -2}
                                                : world_place_of(values[0]);
    if (stage == world->operator_count) {
        if (world_is(world->sink_fails, place.part, place.index)) {
            *out_status = STOA_LIMIT;
            return false;
        }
        world_add(out, values, count);
        return true;
    }
    const struct world_operator *self = &world->operators[stage];
    if (world_is(self->fails, place.part, place.index)) {
        *out_status = STOA_INVALID;
        return false;
    }
    if (self->kind == WORLD_DROP && place.index % 3 == 1) {
        return true;
    }
    if (self->kind == WORLD_SPLIT) {
        for (int64_t from = 0; from < count; from += 7) {
            const int64_t length = count - from < 7 ? count - from : 7;
            if (!world_expect_push(world, stage + 1, values + from, length, out, out_status)) {
                return false;
            }
        }
        return true;
    }
    const int64_t kept = self->kind == WORLD_SHRINK ? (count + 1) / 2 : count;
    return world_expect_push(world, stage + 1, values, kept, out, out_status);
}

/* What the sink holds after a run in order, and how the run ends. */
static inline stoa_status world_expect(const struct world *world, struct world_list *out) {
    stoa_status status = STOA_OK;
    int64_t *values = malloc((size_t)(world->rows_max + 1) * sizeof *values);
    out->count = 0;
    for (int64_t part = 0; part < world->part_count && status == STOA_OK; part++) {
        for (int64_t i = 0; i < world_morsels(world, part) && status == STOA_OK; i++) {
            const int64_t rows = world_rows(world, part, i);
            if (world_is(world->source_fails, part, i)) {
                status = STOA_IO;
                break;
            }
            for (int64_t row = 0; row < rows; row++) {
                values[row] = world_value(world, part, i, row);
            }
            if (rows >= 0) {
                (void)world_expect_push(world, 0, values, rows, out, &status);
            }
        }
    }
    free(values);
    return status;
}

static inline int world_compare(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static inline void world_sort(struct world_list *list) {
    if (list->count > 0) {
        qsort(list->values, (size_t)list->count, sizeof *list->values, world_compare);
    }
}

static inline bool world_same(const struct world_list *left, const struct world_list *right) {
    return left->count == right->count &&
           (left->count == 0 ||
            memcmp(left->values, right->values, (size_t)left->count * sizeof *left->values) == 0);
}

#endif
