/*
 * A serial chain of rigid links as a robot file tells it: the list `links` and the section `chain`.
 * The first link hangs on the base, each further one on the link before it; its frame sits on its
 * joint. Quantities of a link are in its own frame, those of its place in the frame before it.
 */
#pragma once

#include "daemon/base/types.h"

#define CHAIN_MAX 8 /* links */

struct link_spec {
    char name[NAME_CHARS];               /* of the joint that turns it */
    double xyz[3], rpy[3];               /* m, rad: its frame at angle 0, seen from the one before;
                                            R = Rz(yaw) Ry(pitch) Rx(roll) */
    double axis[3];                      /* of its joint; need not have length 1 */
    double mass_kg, com[3], inertia[6];  /* com m; about the centre of mass, kg m^2: xx yy zz xy xz
                                            yz; an off-diagonal one is minus the integral */
    double armature_kgm2;                /* rotor, times gear squared */
    double friction_nm, damping_nms_rad; /* dry; viscous */
    int n_xyz, n_rpy, n_axis, n_com, n_inertia; /* numbers that the file gave */
};

struct chain_spec {
    int n; /* links; 0: nothing is known of the robot's body */
    struct link_spec link[CHAIN_MAX];
    double gravity[3];               /* m/s^2, in the base's frame */
    double tool_xyz[3], tool_rpy[3]; /* m, rad: the tool's frame, seen from the last link */
    int n_gravity, n_tool_xyz, n_tool_rpy;
};
