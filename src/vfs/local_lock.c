/* Locks on local files: an open-file-description lock on the whole file, so that two handles of one
 * process exclude each other too, and closing another descriptor of the file does not drop it.
 *
 * The file's text is the holder's process id, since the system does not tell it for such locks. It
 * is written after the lock is taken and emptied before it is given up; a reader who comes in
 * between finds no number and says "another process". */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/pool.h"
#include "vfs/local.h"

struct local_lock {
    stoa_pool *pool;
    int descriptor;
};

static void lock_close(void *state) {
    struct local_lock *lock = state;
    (void)stoa_descriptor_set_length(lock->descriptor, 0);
    (void)close(lock->descriptor);
    stoa_pool_free(lock->pool, lock, sizeof *lock);
}

static stoa_status fail_locked(int descriptor, stoa_error *err) {
    char text[32] = "";
    ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    text[size < 0 ? 0 : size] = '\0';
    long holder = strtol(text, NULL, 10);
    if (holder <= 0) {
        return stoa_fail(err, STOA_LOCKED, "another process has it");
    }
    return stoa_fail(err, STOA_LOCKED, "process %ld has it%s", holder,
                     holder == (long)getpid() ? " (this one)" : "");
}

/* The file may be removed between opening and locking it; then the lock is one on nothing. */
static bool is_still_there(const char *path, int descriptor) {
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(descriptor, &held) == 0 &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

static stoa_status take(const char *path, int descriptor, bool *out_taken, stoa_error *err) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *out_taken = false;
    if (fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
        return errno == EAGAIN || errno == EACCES ? fail_locked(descriptor, err)
                                                  : stoa_fail_system(err, errno);
    }
    *out_taken = is_still_there(path, descriptor);
    return STOA_OK;
}

static stoa_status write_holder(int descriptor, stoa_error *err) {
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    STOA_TRY(stoa_descriptor_write_at(descriptor, text, (size_t)length, 0, err));
    int failure = stoa_descriptor_set_length(descriptor, (uint64_t)length);
    return failure == 0 ? STOA_OK : stoa_fail_system(err, failure);
}

static stoa_status open_locked(const char *path, int *out, stoa_error *err) {
    bool taken = false;
    stoa_status status = STOA_OK;
    *out = -1;
    while (status == STOA_OK && !taken) {
        int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
        if (descriptor < 0 && errno == EINTR) {
            continue;
        }
        if (descriptor < 0) {
            return errno == EISDIR ? stoa_fail(err, STOA_INVALID, "it is a directory")
                                   : stoa_fail_system(err, errno);
        }
        status = take(path, descriptor, &taken, err);
        if (taken) {
            status = write_holder(descriptor, err);
        }
        if (status == STOA_OK && taken) {
            *out = descriptor;
        } else {
            (void)close(descriptor);
        }
    }
    return status;
}

stoa_status stoa_local_lock(void *state, const char *path, const stoa_context *context,
                            stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {.close = lock_close};
    (void)state;
    int descriptor = -1;
    void *memory = NULL;
    STOA_TRY(open_locked(path, &descriptor, err));
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct local_lock),
                                                  &memory, err);
    if (status == STOA_OK) {
        *(struct local_lock *)memory = (struct local_lock){context->pool, descriptor};
        status = stoa_file_create(context->pool, path, &operations, memory, out, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free(context->pool, memory, sizeof(struct local_lock));
        (void)close(descriptor);
    }
    return status;
}
