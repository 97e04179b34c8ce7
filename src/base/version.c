/* The library's version, as the build names it. */
#include <stoa/stoa.h>

const char *stoa_version(void) {
    return STOA_BUILD_VERSION;
}
