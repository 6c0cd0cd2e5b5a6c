/*
 * Two sums: FNV-1a 64 names things (weights, configs), CRC-32C (Castagnoli, reflected 0x82F63B78)
 * finds damage. Neither protects against intent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* hash: HASH_START or the result of the part before. */
uint64_t hash_fnv1a(uint64_t hash, const void *bytes, size_t n);

/* crc: 0 or the result of the part before. Check value over "123456789": 0xE3069283. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t n);
