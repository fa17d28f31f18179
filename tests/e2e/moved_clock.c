/* Moves the clocks of one process by a mapped file: seconds on the wall, seconds since boot,
   and whether the kernel calls the clock synchronised. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static volatile int64_t *offsets;
static int (*real)(clockid_t, struct timespec *);

static void prepare(void)
{
    static int64_t none[3];
    if (real != NULL)
        return;
    offsets = none;
    const char *path = getenv("MOVED_CLOCK");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *mapped = mmap(NULL, 24, PROT_READ, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED)
            offsets = mapped;
    }
    real = dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t which, struct timespec *at)
{
    prepare();
    int result = real(which, at);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        at->tv_sec += offsets[0];
    else if (which == CLOCK_BOOTTIME)
        at->tv_sec += offsets[1];
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    at->tv_sec = found.tv_sec;
    at->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (at != NULL)
        *at = found.tv_sec;
    return found.tv_sec;
}

int adjtimex(struct timex *found)
{
    prepare();
    memset(found, 0, sizeof *found);
    found->status = offsets[2] ? 0 : STA_UNSYNC;
    return offsets[2] ? TIME_OK : TIME_ERROR;
}
