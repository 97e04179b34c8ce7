/* The local file system: paths as the system takes them, directories, names.
 *
 * Opening and the files themselves: local_file.c. Locks: local_lock.c. */
#include "vfs/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "vfs/vfs.h"

static void fill_info(const struct stat *from, stoa_file_info *out) {
    *out = (stoa_file_info){0};
    out->is_directory = S_ISDIR(from->st_mode);
    out->size = S_ISREG(from->st_mode) ? (uint64_t)from->st_size : 0;
    out->modified_ms = (int64_t)from->st_mtim.tv_sec * 1000 +
                       (int64_t)from->st_mtim.tv_nsec / 1000000;
    /* The time of change, not of modification: that one can be set back. */
    (void)snprintf(out->version, sizeof out->version, "%llx-%llx-%llx.%lx",
                   (unsigned long long)from->st_ino, (unsigned long long)from->st_size,
                   (unsigned long long)from->st_ctim.tv_sec, (unsigned long)from->st_ctim.tv_nsec);
}

/* A link is described by what it points to; one that points nowhere by itself. */
static int stat_at(int directory, const char *path, stoa_file_info *out) {
    struct stat own, target;
    if (fstatat(directory, path, &own, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno;
    }
    fill_info(&own, out);
    if (S_ISLNK(own.st_mode)) {
        if (fstatat(directory, path, &target, 0) == 0) {
            fill_info(&target, out);
        } else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != EACCES) {
            return errno;
        }
        out->is_link = true;
    }
    return 0;
}

static stoa_status local_stat(void *state, const char *path, const stoa_context *context,
                              stoa_file_info *out, stoa_error *err) {
    (void)context;
    (void)state;
    int number = stat_at(AT_FDCWD, path, out);
    return number == 0 ? STOA_OK : stoa_fail_system(err, number);
}

static stoa_status list_entry(DIR *directory, const char *name, stoa_list_function function,
                              void *user, stoa_error *err) {
    stoa_file_info info;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return STOA_OK;
    }
    int number = stat_at(dirfd(directory), name, &info);
    if (number == ENOENT) {
        return STOA_OK; /* removed since its name was read */
    }
    return number == 0 ? function(user, name, &info, err) : stoa_fail_system(err, number);
}

static stoa_status local_list(void *state, const char *path, const stoa_context *context,
                              stoa_list_function function, void *user, stoa_error *err) {
    (void)context;
    (void)state;
    DIR *directory;
    do {
        directory = opendir(path);
    } while (directory == NULL && errno == EINTR);
    if (directory == NULL) {
        return stoa_fail_system(err, errno);
    }
    stoa_status status = STOA_OK;
    while (status == STOA_OK) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            status = errno == 0 ? STOA_OK : stoa_fail_system(err, errno);
            break;
        }
        status = list_entry(directory, entry->d_name, function, user, err);
    }
    (void)closedir(directory);
    return status;
}

static stoa_status local_make_directory(void *state, const char *path, const stoa_context *context,
                                        stoa_error *err) {
    (void)context;
    (void)state;
    return mkdir(path, 0777) == 0 ? STOA_OK : stoa_fail_system(err, errno);
}

static stoa_status local_remove(void *state, const char *path, const stoa_context *context,
                                stoa_error *err) {
    (void)context;
    (void)state;
    if (unlink(path) == 0) {
        return STOA_OK;
    }
    /* Linux says EISDIR for a directory, POSIX allows EPERM. */
    int number = errno;
    if ((number == EISDIR || number == EPERM) && rmdir(path) == 0) {
        return STOA_OK;
    }
    bool is_directory = number == EISDIR || (number == EPERM && errno != ENOTDIR);
    number = is_directory ? errno : number;
    return stoa_fail_system(err, number == EEXIST ? ENOTEMPTY : number);
}

static stoa_status local_rename(void *state, const char *from, const char *to,
                                const stoa_context *context, stoa_error *err) {
    (void)context;
    (void)state;
    struct stat source;
    if (rename(from, to) == 0) {
        return STOA_OK;
    }
    int number = errno == EEXIST ? ENOTEMPTY : errno;
    if (number == EINVAL) {
        return stoa_fail(err, STOA_INVALID, "a directory cannot move into itself");
    }
    if (number == ENOTDIR && lstat(from, &source) == 0 && S_ISDIR(source.st_mode)) {
        return stoa_fail(err, STOA_INVALID, "the target is a file");
    }
    return stoa_fail_system(err, number);
}

/* What a symbolic link points to gets the name. Where the disk has no hard links, or this file may
 * have no more of them, a copy is the way. */
static stoa_status local_link(void *state, const char *from, const char *to,
                              const stoa_context *context, stoa_error *err) {
    (void)context;
    (void)state;
    struct stat source;
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) {
        return STOA_OK;
    }
    const int number = errno;
    if (number == EPERM && stat(from, &source) == 0 && S_ISDIR(source.st_mode)) {
        return stoa_fail(err, STOA_INVALID, "a directory has one name only");
    }
    if (number == EXDEV) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the two are on different disks");
    }
    if (number == EPERM || number == EMLINK || number == EOPNOTSUPP || number == ENOSYS) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the disk makes no second name for this file");
    }
    return stoa_fail_system(err, number);
}

static stoa_status local_sync_directory(void *state, const char *path, const stoa_context *context,
                                        stoa_error *err) {
    (void)context;
    (void)state;
    int descriptor, failed;
    do {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        return stoa_fail_system(err, errno);
    }
    stoa_status status = STOA_OK;
    do {
        failed = fsync(descriptor);
    } while (failed != 0 && errno == EINTR);
    /* EINVAL: a file system that keeps no directories of its own to sync (some FUSE, CIFS). */
    if (failed != 0 && errno != EINVAL) {
        status = stoa_fail_system(err, errno);
    }
    (void)close(descriptor);
    return status;
}

stoa_fs stoa_fs_local(void) {
    static const stoa_fs_operations operations = {
        .open = stoa_local_open,
        .stat = local_stat,
        .list = local_list,
        .make_directory = local_make_directory,
        .remove = local_remove,
        .rename = local_rename,
        .link = local_link,
        .sync_directory = local_sync_directory,
        .lock = stoa_local_lock,
    };
    return (stoa_fs){&operations, NULL};
}
