#include "daemon/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define NAME "replay"

int kept_take(void)
{
    char **names = NULL;
    int taken = -1;
    const int n = sd_listen_fds_with_names(1, &names);
    for (int i = 0; i < n; i++) {
        const int fd = SD_LISTEN_FDS_START + i;
        if (taken < 0 && strcmp(names[i], NAME) == 0) {
            taken = fd;
        } else {
            (void)close(fd);
        }
    }
    for (int i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    return taken;
}

int kept_put(int fd, char *ret_why, int cap)
{
    if (getenv("NOTIFY_SOCKET") == NULL) {
        return -ENOTCONN;
    }
    (void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" NAME);
    const int rc = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" NAME, &fd, 1);
    return rc > 0 ? 0
                  : why(ret_why, cap, rc < 0 ? rc : -ENOTCONN,
                        "the service manager does not keep the replay: %s",
                        strerror(rc < 0 ? -rc : ENOTCONN));
}
