/* Every interleaving of an owner and two thieves on a small deque.
 *
 * The functions under test are those of the library: the header is compiled here with atomics that
 * hand control to a scheduler first. Each of the three runs on a stack of its own; a run is a list of
 * choices who goes on at each atomic step, and the runs go through all such lists. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <ucontext.h>

static void step(void);

#define STOA_DEQUE_LOAD(word) (step(), atomic_load(word))
#define STOA_DEQUE_ADD(word, value) (step(), atomic_fetch_add((word), (value)))
#define STOA_DEQUE_SWAP(word, expected, wanted)                                                    \
    (step(), atomic_compare_exchange_strong((word), (expected), (wanted)))
#define STOA_DEQUE_STORE(word, value) (step(), atomic_store((word), (value)))
#include "sched/deque.h"

enum { ACTORS = 3, STEPS_MAX = 64, STACK_BYTES = 64 << 10, TASKS = 8 };

struct actor {
    ucontext_t context;
    void (*play)(int thief);
    const int *waits_for; /* a flag: it goes on when that is set; NULL: at once */
    bool finished;
    char *stack;
};

static struct actor actors[ACTORS];
static ucontext_t director;
static int playing;

static void step(void) {
    (void)swapcontext(&actors[playing].context, &director);
}

static void wait_for(const int *flag) {
    if (!*flag) {
        actors[playing].waits_for = flag;
        step();
        actors[playing].waits_for = NULL;
    }
}

static void enter_actor(int index) {
    actors[index].play(index - 1);
    actors[index].finished = true;
    (void)swapcontext(&actors[index].context, &director);
}

static bool can_go_on(const struct actor *actor) {
    return !actor->finished && (actor->waits_for == NULL || *actor->waits_for);
}

static int choices[STEPS_MAX], options[STEPS_MAX], steps;

static void prepare(int index, void (*play)(int thief)) {
    struct actor *actor = &actors[index];
    actor->play = play;
    actor->waits_for = NULL;
    actor->finished = false;
    (void)getcontext(&actor->context);
    actor->context.uc_stack.ss_sp = actor->stack;
    actor->context.uc_stack.ss_size = STACK_BYTES;
    actor->context.uc_link = NULL;
    makecontext(&actor->context, (void (*)(void))enter_actor, 1, index);
}

/* One run. `choices` up to `known` are given; after them the first who can goes on. */
static void run_once(int known, void (*owner)(int), void (*thief)(int)) {
    for (int i = 0; i < ACTORS; i++) {
        prepare(i, i == 0 ? owner : thief);
    }
    for (steps = 0;; steps++) {
        int ready[ACTORS], count = 0;
        for (int i = 0; i < ACTORS; i++) {
            if (can_go_on(&actors[i])) {
                ready[count++] = i;
            }
        }
        if (count == 0) {
            break;
        }
        assert_true(steps < STEPS_MAX);
        choices[steps] = steps < known ? choices[steps] : 0;
        options[steps] = count;
        playing = ready[choices[steps]];
        (void)swapcontext(&director, &actors[playing].context);
    }
    for (int i = 0; i < ACTORS; i++) {
        assert_true(actors[i].finished); /* else somebody waits for ever */
    }
}

static long run_all(void (*begin)(void), void (*owner)(int), void (*thief)(int),
                    void (*check)(void)) {
    long runs = 0;
    int known = 0;
    for (int i = 0; i < ACTORS; i++) {
        actors[i].stack = malloc(STACK_BYTES);
    }
    do {
        begin();
        run_once(known, owner, thief);
        check();
        runs++;
        for (known = steps; known > 0 && choices[known - 1] + 1 == options[known - 1]; known--) {
        }
        if (known > 0) {
            choices[known - 1]++;
        }
    } while (known > 0);
    for (int i = 0; i < ACTORS; i++) {
        free(actors[i].stack);
    }
    return runs;
}

/* ---- a ring of tasks, as small as it can be, so that places are used again ---- */

enum { RING = 2 };

static stoa_deque deque;
static int ring[RING], taken[TASKS], spawned, refused;

static void ring_begin(void) {
    atomic_init(&deque.ends, stoa_deque_pack(0, UINT16_MAX, UINT16_MAX)); /* it wraps on the way */
    for (int i = 0; i < TASKS; i++) {
        taken[i] = 0;
    }
    spawned = refused = 0;
}

static void ring_spawn(void) {
    uint64_t ends = STOA_DEQUE_LOAD(&deque.ends);
    uint16_t head = stoa_deque_split(ends);
    if (stoa_deque_count(ends) == RING) {
        refused++;
        return;
    }
    ring[head % RING] = spawned++;
    stoa_deque_publish(&deque, 1);
}

static void ring_pop(void) {
    uint16_t place;
    if (stoa_deque_pop(&deque, &place)) {
        taken[ring[place % RING]]++;
    }
}

static void ring_owner(int thief) {
    (void)thief;
    ring_spawn();
    ring_spawn();
    ring_pop();
    ring_spawn();
    ring_pop();
}

static void ring_thief(int thief) {
    uint64_t ends;
    int read[RING];
    uint16_t count = stoa_deque_look(&deque, thief == 0 ? 2 : 1, &ends);
    for (uint16_t i = 0; i < count; i++) {
        read[i] = ring[(uint16_t)(stoa_deque_tail(ends) + i) % RING];
    }
    if (count > 0 && stoa_deque_steal(&deque, ends, count)) {
        for (uint16_t i = 0; i < count; i++) {
            taken[read[i]]++;
        }
    }
}

/* What nobody took is still there, and everything is there or was taken, once. */
static void ring_check(void) {
    uint64_t ends = atomic_load(&deque.ends);
    for (uint16_t place = stoa_deque_tail(ends); place != stoa_deque_split(ends); place++) {
        taken[ring[place % RING]]++;
    }
    for (int i = 0; i < spawned; i++) {
        assert_int_equal(taken[i], 1);
    }
    assert_int_equal(spawned + refused, 3);
}

static void each_task_of_a_ring_is_taken_once(void **state) {
    (void)state;
    long runs = run_all(ring_begin, ring_owner, ring_thief, ring_check);
    print_message("%ld interleavings\n", runs);
    assert_true(runs > 1000);
}

/* ---- frames: two forked, opened, joined in reverse; then the same places again ---- */

enum { FRAMES = 2 };

static int *frames[FRAMES];
static int done[2 * FRAMES], run_by[2 * FRAMES];

static void frames_begin(void) {
    atomic_init(&deque.ends, 0);
    for (int i = 0; i < 2 * FRAMES; i++) {
        done[i] = run_by[i] = 0;
    }
}

static void join(uint16_t place, int *frame) {
    uint16_t split;
    if (stoa_deque_take_back(&deque, place, &split)) {
        assert_true(split <= place);
        run_by[frame - done]++;
        *frame = 1;
        return;
    }
    wait_for(frame);
    stoa_deque_reset(&deque, place);
}

/* As stoa_join: a place at or above the split is the owner's without asking. */
static void frames_round(int first, uint16_t count) {
    for (uint16_t i = 0; i < count; i++) {
        frames[i] = &done[first + (int)i];
    }
    stoa_deque_publish(&deque, count);
    for (uint16_t i = count; i-- > 0;) {
        uint16_t split = stoa_deque_split(atomic_load(&deque.ends));
        if (i < split) {
            join(i, frames[i]);
        } else {
            run_by[first + (int)i]++;
        }
    }
}

static void frames_owner(int thief) {
    (void)thief;
    frames_round(0, FRAMES);
    frames_round(FRAMES, 1);
}

static void frames_thief(int thief) {
    uint64_t ends;
    if (stoa_deque_look(&deque, 1, &ends) > 0 && stoa_deque_steal(&deque, ends, 1)) {
        int *frame = frames[stoa_deque_tail(ends)];
        if (thief == 0) {
            step(); /* it takes a while */
        }
        run_by[frame - done]++;
        *frame = 1;
    }
}

static void frames_check(void) {
    for (int i = 0; i < FRAMES + 1; i++) {
        assert_int_equal(run_by[i], 1);
    }
    uint64_t ends = atomic_load(&deque.ends);
    assert_int_equal(stoa_deque_tail(ends), 0);
    assert_int_equal(stoa_deque_split(ends), 0);
}

static void each_frame_is_run_once(void **state) {
    (void)state;
    long runs = run_all(frames_begin, frames_owner, frames_thief, frames_check);
    print_message("%ld interleavings\n", runs);
    assert_true(runs > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_of_a_ring_is_taken_once),
        cmocka_unit_test(each_frame_is_run_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
