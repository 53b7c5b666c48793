;; The boundary memory: where lists, strings and spilled values lie while they cross between the outer component and a
;; fused instance whose handles must be translated. Outer canonical options name this memory and its realloc, so the
;; engine never touches the guest's; an adapter moves the values between the two, and no guest memory is patched.
;;
;; It is a stack. `$top` is where it ends. `$base` is where the engine's next call into an export will put its
;; parameters: everything above it was written by the engine since then.
;;
;;   export   base ................. top        the engine has put the parameters there
;;            the adapter keeps base as its mark, moves the parameters into the guest, calls it (what that calls
;;            stacks above), and writes the results above. `frame` ends them; then base = top again, until the
;;            post-return takes everything away down to the mark (`unframe`).
;;   import   the adapter keeps top as its mark, moves the parameters above it, and sets base to top (`hold`), so that
;;            the host may call back in; the results come above that. At the end everything goes (`reset`).
;;
;; Whenever a guest runs, base equals top. Calls nest, and each leaves the stack as it found it or as a frame above
;; it, which the engine has taken away before anything else happens. A call that the engine gives up while it lowers
;; parameters leaves some bytes above base; the next export's mark is below them, so they go with it.
;;
;; The memory has no page before something is put into it (or before anybody looks, if others of the library work in it):
;; to map pages costs an instance more than most have to say to the host. Until then base and top are where it begins.
;;
;; It is a memory of its own (`apart`) where the host must not see anything else, or where the memory of the handles has
;; things that must not move. Else the stack lies in that memory (`beside`), since each memory takes an instance some
;; microseconds to begin and to end: below the arrays there, which go up when it needs room. It does not move itself, so
;; that the host's pointers into it hold.
;;
;; Handles that the engine lent to an export's parameters are kept on the stack too (`keep`), until the call ends.
(module
  (@beside
  (import "handles" "memory" (memory $boundary 0))
  (import "handles" "make-room" (func $make_room (param i64) (result i32))))
  (import "trap" "boundary memory full" (func $trap_full))

  ;; 0x00  top, as a distance from where the stack begins
  ;; 0x04  base, likewise
  ;; 0x10  the stack: no pointer into it is 0
  (@apart
  (memory $boundary 0)
  (@define top () (i32.load (i32.const 0)))
  (@define set_top (to) (i32.store (i32.const 0) to))
  (@define base () (i32.load offset=4 (i32.const 0)))
  (@define set_base (to) (i32.store offset=4 (i32.const 0) to))
  (@define start () (i32.const 16)))

  ;; The same behind the memory's first word, and how many bytes the stack has; it is where the heap begins.
  (@beside
  (@define top () (i32.load offset=4 (i32.const 0)))
  (@define set_top (to) (i32.store offset=4 (i32.const 0) to))
  (@define base () (i32.load offset=8 (i32.const 0)))
  (@define set_base (to) (i32.store offset=8 (i32.const 0) to))
  (@define size () (i32.load offset=0x0c (i32.const 0)))
  (@define start () (i32.const 0x3_0000)))

  ;; What canonical options and adapters call to allocate. Only the last allocation can grow in place.
  (func $boundary.realloc (export "realloc")
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $new_size i32) (result i32)
    (local $new i32)
    (if (i32.le_u (local.get $new_size) (local.get $old_size))
      (then
        (if (local.get $old_size) (then (return (local.get $old))))))
    (if (i32.eqz (local.get $old_size))
      (then (return (call $boundary.allocate (local.get $alignment) (local.get $new_size)))))
    (if (i32.eq (i32.add (local.get $old) (local.get $old_size)) (call $boundary.top))
      (then
        (drop (call $boundary.allocate (i32.const 1) (i32.sub (local.get $new_size) (local.get $old_size))))
        (return (local.get $old))))
    (local.set $new (call $boundary.allocate (local.get $alignment) (local.get $new_size)))
    (memory.copy (local.get $new) (local.get $old) (local.get $old_size))
    local.get $new)

  ;; --- the stack -------------------------------------------------------------------------------------------------

  ;; The mark of an export.
  (func $boundary.base (export "base") (result i32)
    (if (i32.eqz (memory.size)) (then (return (@start))))
    (i32.add (@base) (@start)))

  ;; The mark of an import.
  (func $boundary.top (export "top") (result i32)
    (if (i32.eqz (memory.size)) (then (return (@start))))
    (i32.add (@top) (@start)))

  ;; What lies below stays while others are called.
  (func $boundary.hold (export "hold")
    (if (i32.eqz (memory.size)) (then return))
    (@set_base (@top)))

  ;; Everything above the mark goes.
  (func $boundary.reset (export "reset") (param $mark i32)
    (if (i32.eqz (memory.size)) (then return))
    (@set_top (i32.sub (local.get $mark) (@start)))
    (call $boundary.hold))

  ;; Ends the results of an export: they stay until `unframe`, which then gives back what is remembered here beside the
  ;; mark: the guest's own flat result, as 64 bits.
  (func $boundary.frame (export "frame") (param $mark i32) (param $result i64)
    (local $frame i32)
    (local.set $frame (call $boundary.allocate (i32.const 8) (i32.const 16)))
    (i64.store (local.get $frame) (local.get $result))
    (i32.store offset=8 (local.get $frame) (local.get $mark))
    (call $boundary.hold))

  (func $boundary.unframe (export "unframe") (result i64)
    (local $frame i32)
    (local.set $frame (i32.sub (call $boundary.base) (i32.const 16)))
    (call $boundary.reset (i32.load offset=8 (local.get $frame)))
    (i64.load (local.get $frame)))

  ;; --- handles lent by the engine --------------------------------------------------------------------------------

  ;; Where the entries of `keep` will be: 8 bytes each, the handle, then which resource type it is of. Nothing else may
  ;; be allocated between the first and the last of a call.
  (func $boundary.kept (export "kept") (result i32)
    (call $boundary.allocate (i32.const 8) (i32.const 0)))

  ;; Returns the handle.
  (func $boundary.keep (export "keep") (param $handle i32) (param $which i32) (result i32)
    (local $entry i32)
    (local.set $entry (call $boundary.allocate (i32.const 8) (i32.const 8)))
    (i32.store (local.get $entry) (local.get $handle))
    (i32.store offset=4 (local.get $entry) (local.get $which))
    local.get $handle)

  ;; --- room ------------------------------------------------------------------------------------------------------

  ;; `$size` bytes at the next multiple of `$alignment`. In 64 bits, so that nothing wraps around.
  (func $boundary.allocate (param $alignment i32) (param $size i32) (result i32)
    (local $start i64) (local $end i64) (local $room i64)
    (local.set $start
      (i64.and
        (i64.add
          (i64.extend_i32_u (call $boundary.top))
          (i64.extend_i32_u (i32.sub (local.get $alignment) (i32.const 1))))
        (i64.sub (i64.const 0) (i64.extend_i32_u (local.get $alignment)))))
    (local.set $end (i64.add (local.get $start) (i64.extend_i32_u (local.get $size))))
    (@apart
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
          (then (call $trap_full) unreachable)))))
    (@beside
    (local.set $room (i64.extend_i32_u (@start)))
    (if (memory.size)
      (then (local.set $room (i64.add (local.get $room) (i64.extend_i32_u (@size))))))
    ;; An empty value needs the memory to be there, too.
    (if (i32.or (i64.gt_u (local.get $end) (local.get $room)) (i32.eqz (memory.size)))
      (then
        (if (i32.eqz (call $make_room (i64.sub (local.get $end) (local.get $room))))
          (then (call $trap_full) unreachable)))))
    (@set_top (i32.sub (i32.wrap_i64 (local.get $end)) (@start)))
    (i32.wrap_i64 (local.get $start))))
