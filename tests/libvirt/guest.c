/*
 * The only process of a guest. Once a second it writes "heartbeat N up S" to the serial console,
 * S being the seconds since the guest was started: a guest that was moved untouched counts on,
 * one that was started anew begins at 1.
 *
 * On the kernel's command line:
 *   hold=N   fills N % of the memory with what does not compress, once
 *   write=N  writes anew N MiB of it each second
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, SLICES = 20 };

static char options[4096];

static uint64_t option(const char *name)
{
    char *at = strstr(options, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static double uptime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void)
{
    mkdir("/proc", 0555);
    mount("proc", "/proc", "proc", 0, NULL);
    int file = open("/proc/cmdline", O_RDONLY);
    if (file >= 0 && read(file, options, sizeof options - 1) < 0)
        options[0] = 0;

    struct sysinfo memory;
    sysinfo(&memory);
    uint64_t pages = memory.totalram / 100 * option("hold=") / PAGE;
    uint64_t each_slice = (option("write=") << 20) / PAGE / SLICES;
    uint64_t *held = NULL;
    if (pages) {
        held = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        uint64_t noise = 88172645463325252ULL;
        for (uint64_t i = 0; i < pages * PAGE / sizeof *held; i++) {
            noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
            held[i] = noise;
        }
    }
    uint64_t next = 0;
    for (unsigned long count = 1;; count++) {
        double begin = uptime();
        printf("heartbeat %lu up %.1f\n", count, begin);
        fflush(stdout);
        for (int slice = 1; slice <= SLICES; slice++) {
            for (uint64_t n = 0; pages && n < each_slice; n++) {
                held[next * (PAGE / sizeof *held)] += count;
                next = (next + 1) % pages;
            }
            double left = begin + (double)slice / SLICES - uptime();
            if (left > 0)
                usleep(left * 1e6);
        }
    }
}
