;; XXH64 (xxHash/doc/xxhash_spec.md) and MurmurHash3_x64_128 (smhasher/src/MurmurHash3.cpp, with Cassandra's signed tail), seed 0.
;; 64-bit products are one instruction here and a dozen in JavaScript, where a bigint would be allocated instead.
;; Memory: the result at 0 in 32-bit words, the most significant first; the message from 64 on.
;; wide-hashes.ts holds this module in base64, made by
;;   wat2wasm wide-hashes.wat -o wide-hashes.wasm && base64 -w 110 wide-hashes.wasm
(module
  (memory (export "memory") 1)

  (func $put (param $at i32) (param $value i64)
    (i32.store (local.get $at) (i32.wrap_i64 (i64.shr_u (local.get $value) (i64.const 32))))
    (i32.store offset=4 (local.get $at) (i32.wrap_i64 (local.get $value))))

  (func $round (param $lane i64) (param $input i64) (result i64)
    (i64.mul
      (i64.rotl
        (i64.add (local.get $lane) (i64.mul (local.get $input) (i64.const 0xC2B2AE3D27D4EB4F)))
        (i64.const 31))
      (i64.const 0x9E3779B185EBCA87)))

  (func $merge (param $hash i64) (param $lane i64) (result i64)
    (i64.add
      (i64.mul
        (i64.xor (local.get $hash) (call $round (i64.const 0) (local.get $lane)))
        (i64.const 0x9E3779B185EBCA87))
      (i64.const 0x85EBCA77C2B2AE63)))

  (func (export "xxhash64") (param $length i32)
    (local $at i32) (local $end i32) (local $hash i64)
    (local $a i64) (local $b i64) (local $c i64) (local $d i64)
    (local.set $at (i32.const 64))
    (local.set $end (i32.add (i32.const 64) (local.get $length)))
    (local.set $hash (i64.const 0x27D4EB2F165667C5))
    (if (i32.ge_u (local.get $length) (i32.const 32))
      (then
        (local.set $a (i64.const 0x60EA27EEADC0B5D6))
        (local.set $b (i64.const 0xC2B2AE3D27D4EB4F))
        (local.set $d (i64.const 0x61C8864E7A143579))
        (loop $stripe
          (local.set $a (call $round (local.get $a) (i64.load (local.get $at))))
          (local.set $b (call $round (local.get $b) (i64.load offset=8 (local.get $at))))
          (local.set $c (call $round (local.get $c) (i64.load offset=16 (local.get $at))))
          (local.set $d (call $round (local.get $d) (i64.load offset=24 (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (br_if $stripe (i32.le_u (i32.add (local.get $at) (i32.const 32)) (local.get $end))))
        (local.set $hash
          (i64.add
            (i64.add (i64.rotl (local.get $a) (i64.const 1)) (i64.rotl (local.get $b) (i64.const 7)))
            (i64.add (i64.rotl (local.get $c) (i64.const 12)) (i64.rotl (local.get $d) (i64.const 18)))))
        (local.set $hash (call $merge (local.get $hash) (local.get $a)))
        (local.set $hash (call $merge (local.get $hash) (local.get $b)))
        (local.set $hash (call $merge (local.get $hash) (local.get $c)))
        (local.set $hash (call $merge (local.get $hash) (local.get $d)))))
    (local.set $hash (i64.add (local.get $hash) (i64.extend_i32_u (local.get $length))))
    (block $words
      (loop $word
        (br_if $words (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
        (local.set $hash (i64.xor (local.get $hash) (call $round (i64.const 0) (i64.load (local.get $at)))))
        (local.set $hash
          (i64.add
            (i64.mul (i64.rotl (local.get $hash) (i64.const 27)) (i64.const 0x9E3779B185EBCA87))
            (i64.const 0x85EBCA77C2B2AE63)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $word)))
    (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
      (then
        (local.set $hash
          (i64.xor (local.get $hash) (i64.mul (i64.load32_u (local.get $at)) (i64.const 0x9E3779B185EBCA87))))
        (local.set $hash
          (i64.add
            (i64.mul (i64.rotl (local.get $hash) (i64.const 23)) (i64.const 0xC2B2AE3D27D4EB4F))
            (i64.const 0x165667B19E3779F9)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (block $bytes
      (loop $byte
        (br_if $bytes (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $hash
          (i64.xor (local.get $hash) (i64.mul (i64.load8_u (local.get $at)) (i64.const 0x27D4EB2F165667C5))))
        (local.set $hash (i64.mul (i64.rotl (local.get $hash) (i64.const 11)) (i64.const 0x9E3779B185EBCA87)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $byte)))
    (local.set $hash (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 33))))
    (local.set $hash (i64.mul (local.get $hash) (i64.const 0xC2B2AE3D27D4EB4F)))
    (local.set $hash (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29))))
    (local.set $hash (i64.mul (local.get $hash) (i64.const 0x165667B19E3779F9)))
    (call $put (i32.const 0) (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 32)))))

  (func $first (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x87C37B91114253D5)) (i64.const 31))
      (i64.const 0x4CF5AD432745937F)))

  (func $second (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x4CF5AD432745937F)) (i64.const 33))
      (i64.const 0x87C37B91114253D5)))

  (func $finalise (param $h i64) (result i64)
    (local.set $h (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 33))))
    (local.set $h (i64.mul (local.get $h) (i64.const 0xFF51AFD7ED558CCD)))
    (local.set $h (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 33))))
    (local.set $h (i64.mul (local.get $h) (i64.const 0xC4CEB9FE1A85EC53)))
    (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 33))))

  ;; The bytes of [from, to), at most 8, as a number: unsigned, or each signed and over all that is above it.
  (func $tail (param $from i32) (param $to i32) (param $signed i32) (result i64)
    (local $k i64) (local $shift i64) (local $byte i64)
    (block $bytes
      (loop $next
        (br_if $bytes (i32.ge_u (local.get $from) (local.get $to)))
        (local.set $byte (i64.load8_u (local.get $from)))
        (if (local.get $signed) (then (local.set $byte (i64.load8_s (local.get $from)))))
        (local.set $k (i64.xor (local.get $k) (i64.shl (local.get $byte) (local.get $shift))))
        (local.set $shift (i64.add (local.get $shift) (i64.const 8)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next)))
    (local.get $k))

  (func (export "murmur3x64") (param $length i32) (param $signed i32)
    (local $at i32) (local $end i32) (local $middle i32) (local $h i64) (local $g i64)
    (local.set $at (i32.const 64))
    (local.set $end (i32.add (i32.const 64) (local.get $length)))
    (block $blocks
      (loop $block
        (br_if $blocks (i32.gt_u (i32.add (local.get $at) (i32.const 16)) (local.get $end)))
        (local.set $h (i64.xor (local.get $h) (call $first (i64.load (local.get $at)))))
        (local.set $h (i64.add (i64.rotl (local.get $h) (i64.const 27)) (local.get $g)))
        (local.set $h (i64.add (i64.mul (local.get $h) (i64.const 5)) (i64.const 0x52DCE729)))
        (local.set $g (i64.xor (local.get $g) (call $second (i64.load offset=8 (local.get $at)))))
        (local.set $g (i64.add (i64.rotl (local.get $g) (i64.const 31)) (local.get $h)))
        (local.set $g (i64.add (i64.mul (local.get $g) (i64.const 5)) (i64.const 0x38495AB5)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $block)))
    (local.set $middle (i32.add (local.get $at) (i32.const 8)))
    (if (i32.gt_u (local.get $end) (local.get $middle))
      (then
        (local.set $g
          (i64.xor (local.get $g) (call $second (call $tail (local.get $middle) (local.get $end) (local.get $signed))))))
      (else (local.set $middle (local.get $end))))
    (local.set $h
      (i64.xor (local.get $h) (call $first (call $tail (local.get $at) (local.get $middle) (local.get $signed)))))
    (local.set $h (i64.xor (local.get $h) (i64.extend_i32_u (local.get $length))))
    (local.set $g (i64.xor (local.get $g) (i64.extend_i32_u (local.get $length))))
    (local.set $h (i64.add (local.get $h) (local.get $g)))
    (local.set $g (i64.add (local.get $g) (local.get $h)))
    (local.set $h (call $finalise (local.get $h)))
    (local.set $g (call $finalise (local.get $g)))
    (local.set $h (i64.add (local.get $h) (local.get $g)))
    (local.set $g (i64.add (local.get $g) (local.get $h)))
    (call $put (i32.const 0) (local.get $h))
    (call $put (i32.const 8) (local.get $g)))
)
