/* The window: where morsels wait for their turn, and what lets lanes run ahead only so far.
 *
 * Parts come without gaps, and each is read by one lane from its first morsel to its last. So what
 * waits are a few lists, one a part, and the turn is always of the first list's first item:
 *
 *     part 7 (head)   [5]               its lane is making 6
 *     part 8          [0] [1] [2]       its lane is parked: the window is full
 *     part 9          [0, complete]
 *
 * A lane takes a place before it asks the source, never after, so nobody is ever left with a morsel
 * that fits nowhere. Whoever reads the head part is let in even when the window is full, as long as
 * nothing of that part waits: the others' places become free only through it.
 *
 * Unordered, each morsel is a part of its own, numbered as they arrive. */
#include "pipeline/run.h"

static struct part *part_at(const struct run *run, int64_t number) {
    return &run->parts[number & run->part_mask];
}

stoa_status stoa_window_create(struct run *run, stoa_error *err) {
    const int32_t item_count = run->pipeline.options.window_morsels + run->lane_count + 2;
    int64_t part_count = 1;
    void *memory;
    while (part_count < (int64_t)item_count + run->lane_count + 1) {
        part_count *= 2;
    }
    STOA_TRY(
        stoa_pool_allocate_array(run->pool, (size_t)item_count, sizeof *run->items, &memory, err));
    run->items = memory;
    run->item_count = item_count;
    for (int32_t i = 0; i < item_count; i++) {
        stoa_buffer_init(&run->items[i].outputs, run->pool);
        run->items[i].next = run->free_items;
        run->free_items = &run->items[i];
    }
    STOA_TRY(
        stoa_pool_allocate_array(run->pool, (size_t)part_count, sizeof *run->parts, &memory, err));
    run->parts = memory;
    run->part_mask = part_count - 1;
    return STOA_OK;
}

void stoa_item_clear(struct item *item) {
    stoa_morsel *outputs = (stoa_morsel *)(void *)item->outputs.data;
    for (size_t i = 0; i < item->outputs.size / sizeof *outputs; i++) {
        stoa_arrow_array_release(&outputs[i].batch);
    }
    stoa_buffer_clear(&item->outputs);
    stoa_reservation_release(&item->charge);
    item->failed = NULL;
}

void stoa_window_release(struct run *run) {
    for (int32_t i = 0; i < run->item_count; i++) {
        stoa_item_clear(&run->items[i]);
        stoa_buffer_release(&run->items[i].outputs);
    }
    stoa_pool_free(run->pool, run->items, (size_t)run->item_count * sizeof *run->items);
    stoa_pool_free(run->pool, run->parts, (size_t)(run->part_mask + 1) * sizeof *run->parts);
}

bool stoa_window_admits(const struct run *run, const struct lane *lane) {
    const stoa_pipeline_options *options = &run->pipeline.options;
    if (run->pipeline.source.serial && run->source_busy) {
        return false;
    }
    if (!run->windowed || run->used_morsels == 0) {
        return true;
    }
    if (options->ordered && lane->part == run->head_part &&
        part_at(run, run->head_part)->first == NULL) {
        return run->free_items != NULL;
    }
    return run->used_morsels < options->window_morsels && run->used_bytes < options->window_bytes;
}

struct item *stoa_window_take_free(struct run *run) {
    struct item *item = run->free_items;
    STOA_ASSERT(item != NULL && item->outputs.size == 0 && item->failed == NULL);
    run->free_items = item->next;
    run->used_morsels++;
    *item = (struct item){.outputs = item->outputs};
    return item;
}

void stoa_window_give_free(struct run *run, struct item *item) {
    STOA_ASSERT(run->used_morsels > 0 && run->used_bytes >= item->bytes);
    run->used_morsels--;
    run->used_bytes -= item->bytes;
    item->bytes = 0;
    item->next = run->free_items;
    run->free_items = item;
}

static stoa_status check_place(const struct run *run, const stoa_morsel *place, stoa_error *err) {
    const int64_t ahead = place->part - run->head_part;
    if (ahead < 0 || ahead > run->part_mask || part_at(run, place->part)->complete ||
        part_at(run, place->part)->next_index != place->index) {
        return stoa_fail(err, STOA_INTERNAL,
                         "a source gave morsel %" PRId64 " of part %" PRId64
                         " out of order: part %" PRId64 " is being taken",
                         place->index, place->part, run->head_part);
    }
    return STOA_OK;
}

stoa_status stoa_window_put(struct run *run, struct item *item, const stoa_morsel *place,
                            stoa_error *err) {
    stoa_morsel arrival = {.part = run->arrival_count, .last = true};
    if (run->pipeline.options.ordered) {
        arrival = *place;
        STOA_TRY(check_place(run, place, err));
    } else {
        run->arrival_count++;
    }
    struct part *part = part_at(run, arrival.part);
    item->next = NULL;
    if (part->first == NULL) {
        part->first = item;
    } else {
        part->last->next = item;
    }
    part->last = item;
    part->next_index++;
    part->complete = arrival.last;
    run->used_bytes += item->bytes;
    return STOA_OK;
}

struct item *stoa_window_take(struct run *run) {
    struct part *part = part_at(run, run->head_part);
    struct item *item = part->first;
    if (item == NULL) {
        return NULL;
    }
    part->first = item->next;
    if (part->first == NULL && part->complete) {
        *part = (struct part){0};
        run->head_part++;
    }
    return item;
}

struct lane *stoa_window_wake(struct run *run) {
    struct lane *woken = NULL;
    int64_t places = INT64_MAX;
    if (run->windowed) {
        places = run->pipeline.options.window_morsels - run->used_morsels;
        places = places < 1 ? 1 : places;
    }
    if (run->pipeline.source.serial) {
        places = 1;
    }
    for (int32_t i = 0; run->parked_count > 0 && i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        if (lane->state != LANE_PARKED) {
            continue;
        }
        if (stoa_lane_is_over(lane)) {
            lane->state = LANE_DONE;
            run->parked_count--;
            run->done_count++;
        } else if ((places > 0 || lane->part == run->head_part) && stoa_window_admits(run, lane)) {
            places--;
            lane->state = LANE_READY;
            run->parked_count--;
            if (!lane->queued) {
                lane->queued = true;
                lane->wake_next = woken;
                woken = lane;
            }
        }
    }
    atomic_store_explicit(&run->parked_hint, run->parked_count, memory_order_relaxed);
    if (run->reader_waits) {
        pthread_cond_signal(&run->changed);
    }
    return woken;
}
