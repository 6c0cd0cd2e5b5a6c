/*
 * After any exit of the daemon, by the service manager or by hand: find the devices, cut torque,
 * read it back, leave. Nothing of the daemon is needed for it but the robot file.
 */
#pragma once

/*
 *   config_path, sets [n_sets]   the robot file and its overrides
 *
 * Says on stderr how it went. Returns an exit status: 0 only when every device was found and its
 * torque read back as off.
 */
int make_safe(const char *config_path, const char *const *sets, int n_sets);
