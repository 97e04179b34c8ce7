/* Guarded maps.
 *
 * Reading a mapped page that lies behind the end of its file (somebody cut it short), or that the
 * disk does not deliver, raises SIGBUS, and by default ends the process. The handler here finds the
 * map in a table, marks it as broken, puts zero pages where the file is missing, and returns: the
 * reader goes on, reads zeros, and learns from the mark that they are none of the file's; who writes goes
 * on in memory of its own, and its sync fails. Faults anywhere else, and signals that were sent, go to
 * the handler that was there before.
 *
 * This is the one place that keeps something for the whole process, since a signal's handler is the
 * process's. The table is read by the handler, at any instant and in any thread, so it has no lock
 * and its memory is never given back: blocks of slots in a list that only grows. A slot's `turn`
 * tells its state by the last two bits (free, claimed, live) and changes with every use, so that the
 * handler notices a slot that changed while it looked: that one cannot be the map that faulted,
 * which is live until its reader is done.
 *
 * A program may install a handler of its own later. The next map then puts this one before it again,
 * as another function with another predecessor: the program's may call the first of them, and what
 * it gets must not lead back to it. So there are a few such layers, and one whose predecessor comes
 * back is used again. A program that has more handlers than that gets no more maps.
 *
 * The handler calls nothing but mmap, as a bare system call: the C library's may be replaced by a
 * sanitizer's, which is not made for being called in a handler. */
#include "vfs/map_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stoa/fs.h>

enum { BLOCK_SLOTS = 512, LAYER_COUNT = 4 };
enum { TURN_FREE = 0, TURN_CLAIMED = 1, TURN_LIVE = 2, TURN_STATES = 4 };

struct stoa_map_slot {
    atomic_uint_fast64_t turn;
    atomic_uintptr_t begin;
    atomic_size_t size;
    atomic_int protection; /* of the pages that are put where the file is missing */
    atomic_uint is_broken;
};

struct block {
    struct block *_Atomic next;
    struct stoa_map_slot slots[BLOCK_SLOTS];
};

enum permission { BY_ENVIRONMENT = 0, ALLOWED, FORBIDDEN };

static struct block first_block;
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static int layers_used; /* under `install_lock` */
static struct sigaction
    previous[LAYER_COUNT]; /* set before the layer is installed, then constant */
static size_t page_bytes;  /* the same */
static atomic_int permission;

void stoa_maps_allow(bool allowed) {
    atomic_store_explicit(&permission, allowed ? ALLOWED : FORBIDDEN, memory_order_relaxed);
}

static bool is_allowed(void) {
    int now = atomic_load_explicit(&permission, memory_order_relaxed);
    const char *text = now == BY_ENVIRONMENT ? getenv("STOA_MAPS") : NULL;
    return now != FORBIDDEN && (text == NULL || strcmp(text, "off") != 0);
}

/* ---- The handler ----------------------------------------------------------------------------- */

/* The slot of the live map that holds `address`. The loads pair with the stores of slot_fill. */
static struct stoa_map_slot *slot_at(uintptr_t address, uintptr_t *out_end) {
    for (struct block *block = &first_block; block != NULL;
         block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        for (size_t i = 0; i < BLOCK_SLOTS; i++) {
            struct stoa_map_slot *slot = &block->slots[i];
            uint_fast64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
            uintptr_t begin = atomic_load_explicit(&slot->begin, memory_order_acquire);
            size_t size = atomic_load_explicit(&slot->size, memory_order_acquire);
            if (turn % TURN_STATES == TURN_LIVE && address >= begin && address - begin < size &&
                atomic_load_explicit(&slot->turn, memory_order_relaxed) == turn) {
                *out_end = begin + size;
                return slot;
            }
        }
    }
    return NULL;
}

/* The mark comes first: who sees a zero of these pages finds the mark set. */
static bool replace_pages(uintptr_t address) {
    uintptr_t end = 0;
    /* A map is made of whole pages; its last one may reach behind the file. */
    uintptr_t page = address & ~(uintptr_t)(page_bytes - 1);
    struct stoa_map_slot *slot = slot_at(address, &end);
    if (slot == NULL) {
        return false;
    }
    atomic_store_explicit(&slot->is_broken, 1, memory_order_release);
    return syscall(SYS_mmap, page, end - page,
                   atomic_load_explicit(&slot->protection, memory_order_relaxed),
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != -1;
}

/* What would have happened without a handler. A fault comes again when this one returns; a signal
 * that was sent is sent again, and delivered when this handler returns. */
static void act_by_default(int number, const siginfo_t *info) {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &plain, NULL);
    if (info->si_code <= 0) {
        (void)raise(number);
    }
}

static void pass_on(const struct sigaction *next, int number, siginfo_t *info, void *context) {
    bool is_sent = info->si_code <= 0;
    if ((next->sa_flags & SA_SIGINFO) != 0) {
        next->sa_sigaction(number, info, context);
    } else if (next->sa_handler == SIG_IGN && is_sent) {
        return;
    } else if (next->sa_handler == SIG_DFL || next->sa_handler == SIG_IGN) {
        act_by_default(number, info); /* a fault cannot be ignored */
    } else {
        next->sa_handler(number);
    }
}

static void act(int layer, int number, siginfo_t *info, void *context) {
    int kept = errno;
    /* Only of a signal that the system raised is si_addr an address. */
    if (info->si_code <= 0 || !replace_pages((uintptr_t)info->si_addr)) {
        pass_on(&previous[layer], number, info, context);
    }
    errno = kept;
}

static void on_fault_0(int number, siginfo_t *info, void *context) {
    act(0, number, info, context);
}
static void on_fault_1(int number, siginfo_t *info, void *context) {
    act(1, number, info, context);
}
static void on_fault_2(int number, siginfo_t *info, void *context) {
    act(2, number, info, context);
}
static void on_fault_3(int number, siginfo_t *info, void *context) {
    act(3, number, info, context);
}

static void (*const layers[LAYER_COUNT])(int, siginfo_t *, void *) = {on_fault_0, on_fault_1,
                                                                      on_fault_2, on_fault_3};

/* ---- Installing it --------------------------------------------------------------------------- */

/* The handler must not be unloaded with a program's plugin while the system may call it. */
static void stay_loaded(void) {
    Dl_info own;
    if (dladdr(&first_block, &own) != 0 && own.dli_fname != NULL) {
        (void)dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

static bool is_ours(const struct sigaction *action) {
    for (int i = 0; i < LAYER_COUNT; i++) {
        if ((action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == layers[i]) {
            return true;
        }
    }
    return false;
}

/* The layer that stands before `next`: one that did so already, or a new one; -1 when all are used
 * up. With the lock held. */
static int layer_before(const struct sigaction *next) {
    for (int i = 0; i < layers_used; i++) {
        if (previous[i].sa_handler == next->sa_handler && previous[i].sa_flags == next->sa_flags) {
            return i;
        }
    }
    if (layers_used == LAYER_COUNT) {
        return -1;
    }
    previous[layers_used] = *next;
    return layers_used++;
}

/* With the lock held. */
static stoa_status install(stoa_error *err) {
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now) != 0) {
        return stoa_fail_system(err, errno);
    }
    if (is_ours(&now)) {
        return STOA_OK;
    }
    if (layers_used == 0) {
        page_bytes = (size_t)sysconf(_SC_PAGESIZE);
        stay_loaded();
    }
    const int layer = layer_before(&now);
    if (layer < 0) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the program changes its handler for SIGBUS");
    }
    /* The one behind is to find what it asked for: its stack, its mask, its way to return. */
    struct sigaction action = {.sa_sigaction = layers[layer]};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
    action.sa_mask = now.sa_mask;
    return sigaction(SIGBUS, &action, NULL) == 0 ? STOA_OK : stoa_fail_system(err, errno);
}

static stoa_status ensure_installed(stoa_error *err) {
    (void)pthread_mutex_lock(&install_lock);
    stoa_status status = install(err);
    (void)pthread_mutex_unlock(&install_lock);
    return status;
}

/* ---- The table ------------------------------------------------------------------------------- */

static struct stoa_map_slot *slot_claim_in(struct block *block) {
    for (size_t i = 0; i < BLOCK_SLOTS; i++) {
        struct stoa_map_slot *slot = &block->slots[i];
        uint_fast64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
        if (turn % TURN_STATES == TURN_FREE &&
            atomic_compare_exchange_strong_explicit(&slot->turn, &turn, turn + TURN_CLAIMED,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return slot;
        }
    }
    return NULL;
}

/* The block behind `block`, made when there is none. Not from a pool: it stays when the database
 * that needed it is gone. */
static struct block *block_after(struct block *block) {
    struct block *next = atomic_load_explicit(&block->next, memory_order_acquire);
    if (next != NULL) {
        return next;
    }
    void *memory = mmap(NULL, sizeof(struct block), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    if (atomic_compare_exchange_strong_explicit(&block->next, &next, memory, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return memory;
    }
    (void)munmap(memory, sizeof(struct block));
    return next; /* somebody was first */
}

static struct stoa_map_slot *slot_claim(void) {
    struct stoa_map_slot *slot = NULL;
    for (struct block *block = &first_block; block != NULL; block = block_after(block)) {
        slot = slot_claim_in(block);
        if (slot != NULL) {
            break;
        }
    }
    return slot;
}

static void slot_fill(struct stoa_map_slot *slot, const void *bytes, size_t size, int protection) {
    atomic_store_explicit(&slot->begin, (uintptr_t)bytes, memory_order_relaxed);
    atomic_store_explicit(&slot->size, size, memory_order_relaxed);
    atomic_store_explicit(&slot->protection, protection, memory_order_relaxed);
    atomic_store_explicit(&slot->is_broken, 0, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&slot->turn, TURN_LIVE - TURN_CLAIMED, memory_order_release);
}

static void slot_release(struct stoa_map_slot *slot) {
    uint_fast64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    atomic_store_explicit(&slot->turn, turn - turn % TURN_STATES + TURN_STATES,
                          memory_order_release);
}

/* ---- Maps ------------------------------------------------------------------------------------ */

stoa_status stoa_guarded_map_open(int descriptor, size_t size, bool is_writable,
                                  stoa_guarded_map *out, stoa_error *err) {
    const int protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
    *out = (stoa_guarded_map){0};
    if (!is_allowed()) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the program wants no mapped files");
    }
    STOA_TRY(ensure_installed(err));
    struct stoa_map_slot *slot = slot_claim();
    if (slot == NULL) {
        return stoa_fail_system(err, ENOMEM);
    }
    void *bytes = mmap(NULL, size, protection, MAP_SHARED, descriptor, 0);
    if (bytes == MAP_FAILED) {
        int number = errno;
        slot_release(slot);
        /* Devices and some network file systems cannot be mapped at all. */
        return number == ENODEV ? stoa_fail(err, STOA_UNSUPPORTED, "its device cannot be mapped")
                                : stoa_fail_system(err, number);
    }
    slot_fill(slot, bytes, size, protection);
    *out = (stoa_guarded_map){bytes, size, is_writable, slot};
    return STOA_OK;
}

bool stoa_guarded_map_is_broken(const stoa_guarded_map *map) {
    /* A change, though of nothing: no read of the map may move behind it. */
    return atomic_fetch_or_explicit(&map->slot->is_broken, 0, memory_order_acq_rel) != 0;
}

const uint32_t *stoa_guarded_map_mark(const stoa_guarded_map *map) {
    _Static_assert(sizeof(atomic_uint) == sizeof(uint32_t), "a mark is read as a number");
    return (const uint32_t *)(const void *)&map->slot->is_broken;
}

void stoa_guarded_map_close(stoa_guarded_map *map) {
    if (map->slot != NULL) {
        slot_release(map->slot);
        (void)munmap(map->bytes, map->size);
    }
    *map = (stoa_guarded_map){0};
}
