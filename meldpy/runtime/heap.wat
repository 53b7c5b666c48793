;; The heap of host calls: where values lie between a fused instance and the engine while a call takes its time.
;;
;; A call of a host function can end at any moment, after others that began later. So what it needs is in no stack
;; (`boundary.wat`) but in blocks of this memory, which the outer canonical options of such calls name:
;;
;;   the place of its result   a block of its own (`block`), until the result was taken from there (`free`)
;;   all else                  what `realloc` gave away: copies of parameters, which the engine reads when the call
;;                             starts, and strings and lists of results, which are taken when the call is heard of
;;
;; Nobody knows which result the engine was lowering when it called `realloc`. So these blocks are in one chain that goes
;; as a whole (`sweep`), when none of them can be needed: no call is open, or all that the engine has lowered was heard
;; of, and nobody holds the chain (for a call that has not started, or that a blocked stack waits for).
;;
;; Blocks are powers of two, from 16 bytes, with a free list each. A block begins with 8 bytes: the power, and the next
;; one in the chain or list.
(module
  (import "trap" "boundary memory full" (func $trap_full))

  ;; 0x00  the chain          0x04  bytes in it
  ;; 0x08  open calls         0x0C  who holds the chain
  ;; 0x10  where the blocks end, as a distance from 0xB0
  ;; 0x30  where the engine writes an event, in an output with but one memory at its edge (`roots.wat`, `outer.wat`)
  ;; 0x38  the free lists of powers from 4 on
  ;; 0xB0  the blocks
  (memory $heap 1)

  ;; --- blocks ----------------------------------------------------------------------------------------------------

  (func $block (export "block") (param $size i32) (result i32)
    (local $power i32) (local $list i32) (local $block i32)
    (if (i32.gt_u (local.get $size) (i32.const 0x7FFF_FFF8)) (then (call $trap_full) unreachable))
    (local.set $power
      (i32.sub
        (i32.const 32)
        (i32.clz (i32.or (i32.add (local.get $size) (i32.const 7)) (i32.const 8)))))
    (local.set $list (i32.shl (local.get $power) (i32.const 2)))
    (local.set $block (i32.load offset=0x28 (local.get $list)))
    (if (local.get $block)
      (then (i32.store offset=0x28 (local.get $list) (i32.load offset=4 (local.get $block))))
      (else
        (local.set $block (call $more (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $power)))))
        (i32.store (local.get $block) (local.get $power))))
    (i32.add (local.get $block) (i32.const 8)))

  (func $free (export "free") (param $at i32)
    (local $block i32) (local $list i32)
    (local.set $block (i32.sub (local.get $at) (i32.const 8)))
    (local.set $list (i32.shl (i32.load (local.get $block)) (i32.const 2)))
    (i32.store offset=4 (local.get $block) (i32.load offset=0x28 (local.get $list)))
    (i32.store offset=0x28 (local.get $list) (local.get $block)))

  ;; The next `$size` bytes of the memory. In 64 bits, so that nothing wraps around.
  (func $more (param $size i64) (result i32)
    (local $start i64) (local $end i64) (local $room i64)
    (local.set $start (i64.add (i64.load32_u offset=0x10 (i32.const 0)) (i64.const 0xB0)))
    (local.set $end (i64.add (local.get $start) (local.get $size)))
    (local.set $room (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
    (if (i64.gt_u (local.get $end) (local.get $room))
      (then
        (if (i64.gt_u (local.get $end) (i64.const 0xFFFF_FFFF))
          (then (call $trap_full) unreachable))
        (if
          (i32.eq
            (memory.grow
              (i32.wrap_i64
                (i64.shr_u
                  (i64.add (i64.sub (local.get $end) (local.get $room)) (i64.const 0xFFFF))
                  (i64.const 16))))
            (i32.const -1))
          (then (call $trap_full) unreachable))))
    (i64.store32 offset=0x10 (i32.const 0) (i64.sub (local.get $end) (i64.const 0xB0)))
    (i32.wrap_i64 (local.get $start)))

  ;; --- the chain -------------------------------------------------------------------------------------------------

  ;; What canonical options and adapters call to allocate. No alignment is above 8.
  (func $realloc (export "realloc")
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $new_size i32) (result i32)
    (local $new i32)
    (if (i32.le_u (local.get $new_size) (local.get $old_size))
      (then (return (select (local.get $old) (i32.const 8) (local.get $old_size)))))
    (local.set $new (call $block (local.get $new_size)))
    (i32.store offset=4 (i32.sub (local.get $new) (i32.const 8)) (i32.load (i32.const 0)))
    (i32.store (i32.const 0) (i32.sub (local.get $new) (i32.const 8)))
    (i32.store offset=4 (i32.const 0)
      (i32.add (i32.load offset=4 (i32.const 0)) (local.get $new_size)))
    (memory.copy (local.get $new) (local.get $old) (local.get $old_size))
    local.get $new)

  (func $sweep
    (local $block i32) (local $next i32)
    (local.set $block (i32.load (i32.const 0)))
    (i64.store (i32.const 0) (i64.const 0))
    loop $more
      (if (local.get $block)
        (then
          (local.set $next (i32.load offset=4 (local.get $block)))
          (call $free (i32.add (local.get $block) (i32.const 8)))
          (local.set $block (local.get $next))
          (br $more)))
    end)

  ;; A call has not ended at once.
  (func (export "open")
    (i32.store offset=0x08 (i32.const 0) (i32.add (i32.load offset=0x08 (i32.const 0)) (i32.const 1))))

  ;; What it returned was taken.
  (func (export "close")
    (i32.store offset=0x08 (i32.const 0) (i32.sub (i32.load offset=0x08 (i32.const 0)) (i32.const 1)))
    (call $tidy))

  ;; Sweeps if no call is open.
  (func $tidy (export "tidy")
    (if (i32.eqz (i32.load offset=0x08 (i32.const 0))) (then (call $sweep))))

  ;; One more (1) or less (-1) needs what is in the chain.
  (func (export "hold") (param $step i32)
    (i32.store offset=0x0C (i32.const 0) (i32.add (i32.load offset=0x0C (i32.const 0)) (local.get $step))))

  ;; Whether the chain is long, and could go once all was heard of that the engine knows.
  (func (export "crowded") (result i32)
    (i32.and
      (i32.gt_u (i32.load offset=4 (i32.const 0)) (i32.const 0x1_0000))
      (i32.eqz (i32.load offset=0x0C (i32.const 0)))))

  ;; All was heard of.
  (func (export "heard")
    (if (i32.eqz (i32.load offset=0x0C (i32.const 0))) (then (call $sweep)))))
