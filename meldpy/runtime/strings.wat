;; Lowering strings: one export per pair of string encodings, for one source memory, one destination memory and one
;; realloc.
;;
;; Each export takes the pointer and the (tagged) code units of a string in the source memory, and returns those of
;; its copy in the destination memory. The source is checked first and as a whole (string_source.wat), so the loops
;; below meet well-formed text only and every trap for a bad string comes before the first realloc. The sequence of
;; reallocs, with their sizes and alignments, is the spec's, because guests can see it: store_string_into_range and
;; the functions it calls; each part below names the one it follows.
;;
;; `realloc` is the adapter's: it calls the guest's, keeps may_leave and the exception barrier, and checks that the
;; result is aligned and in bounds. What the guest's realloc does with the bytes of an earlier block is observable as
;; well, so nothing that was stored before a realloc is stored again behind it.
;;
;; S and D are the address types of the two memories, C the narrower of the two (memory.copy counts in it); S_TAG and
;; D_TAG are the utf16 tags. All are replaced before assembly. `@vectors` and `@scalars` mark what one of the two flavours
;; has alone (see `meldpy.runtime`).
(module
  (import "src" "memory" (memory $src S 0))
  (import "dst" "memory" (memory $dst D 0))
  (import "dst" "realloc" (func $realloc (param D D D D) (result D)))
  (import "source" "utf8" (func $check_utf8 (param S S)))
  (import "source" "utf16" (func $check_utf16 (param S S)))
  (import "source" "latin1" (func $check_latin1 (param S S)))

  ;; `src` and `dst` go on by so many bytes, and the loop with them.
  (@define advance (from to)
    (local.set $src (S.add (local.get $src) (S.const from)))
    (local.set $dst (D.add (local.get $dst) (D.const to)))
    (br $next))

  (@define left ()
    (S.sub (local.get $end) (local.get $src)))

  ;; Blocks of sixteen units that fit a mask go from `src` to `dst` in a byte each.
  (@define narrow_blocks (mask)
    (@vectors
      (if (S.ge_u (@left) (S.const 32))
        (then
          (local.set $lanes (v128.load $src align=2 (local.get $src)))
          (local.set $more (v128.load $src offset=16 align=2 (local.get $src)))
          (if
            (i32.eqz
              (v128.any_true
                (v128.and (v128.or (local.get $lanes) (local.get $more)) (i16x8.splat (i32.const mask)))))
            (then
              (v128.store $dst align=1 (local.get $dst)
                (i8x16.narrow_i16x8_u (local.get $lanes) (local.get $more)))
              (@advance 32 16)))))))

  ;; Blocks of sixteen bytes of ASCII go from `src` to `dst` as they are.
  (@define copy_blocks ()
    (@vectors
      (if (S.ge_u (@left) (S.const 16))
        (then
          (local.set $lanes (v128.load $src align=1 (local.get $src)))
          (if (i32.eqz (i8x16.bitmask (local.get $lanes)))
            (then
              (v128.store $dst align=1 (local.get $dst) (local.get $lanes))
              (@advance 16 16)))))))

  ;; Twice eight bytes at offsets from `src` become units at offsets from `dst`.
  (@define widen (from_1 from_2 to_1 to_2)
    (v128.store $dst offset=to_1 align=2 (local.get $dst) (v128.load8x8_u $src offset=from_1 align=1 (local.get $src)))
    (v128.store $dst offset=to_2 align=2 (local.get $dst) (v128.load8x8_u $src offset=from_2 align=1 (local.get $src))))

  ;; 110xxxxx 10xxxxxx for a unit of latin1.
  (@define store_latin1 ()
    (i32.store16 $dst align=1 (local.get $dst)
      (i32.or
        (i32.or (i32.const 0x80C0) (i32.shr_u (local.get $unit) (i32.const 6)))
        (i32.shl (i32.and (local.get $unit) (i32.const 0x3F)) (i32.const 8)))))

  ;; Fewer than eight units of latin1: one goes, and the loop on. Eight: stored as if they were ASCII; `unit` says how
  ;; many are.
  (@define eight_latin1 ()
    (if (S.lt_u (@left) (S.const 8))
      (then
        (br_if $done (S.eq (local.get $src) (local.get $end)))
        (local.set $unit (i32.load8_u $src (local.get $src)))
        (if (i32.lt_u (local.get $unit) (i32.const 0x80))
          (then
            (i32.store8 $dst (local.get $dst) (local.get $unit))
            (@advance 1 1)))
        (@store_latin1)
        (@advance 1 2)))
    (local.set $word (i64.load $src align=1 (local.get $src)))
    (i64.store $dst align=1 (local.get $dst) (local.get $word))
    (local.set $word (i64.and (local.get $word) (i64.const 0x8080_8080_8080_8080)))
    (if (i64.eqz (local.get $word)) (then (@advance 8 8)))
    (local.set $unit (i32.wrap_i64 (i64.shr_u (i64.ctz (local.get $word)) (i64.const 3)))))

  ;; Eight bytes of ASCII go as they are.
  (@define eight_ascii ()
    (if (S.ge_u (@left) (S.const 8))
      (then
        (local.set $word (i64.load $src align=1 (local.get $src)))
        (if (i64.eqz (i64.and (local.get $word) (i64.const 0x8080_8080_8080_8080)))
          (then
            (i64.store $dst align=1 (local.get $dst) (local.get $word))
            (@advance 8 8))))))

  ;; Shrinks a block that turned out too large; leaves one of the right size alone.
  (func $string.shrink (param $ptr D) (param $size D) (param $align D) (param $exact D) (result D)
    (if (D.eq (local.get $size) (local.get $exact)) (then (return (local.get $ptr))))
    (call $realloc (local.get $ptr) (local.get $size) (local.get $align) (local.get $exact)))

  ;; --- to utf8 ---------------------------------------------------------------------------------------------------

  ;; store_string_copy, code units of one byte. Four to 32 bytes are read once, as two words that may overlap, and never
  ;; leave registers, and only what is not ASCII is looked at closer: this function is short enough to be put in place of
  ;; its calls, and `memory.copy` costs more than all of it.
  (func $string.utf8_to_utf8 (export "utf8-to-utf8") (param $src S) (param $units S) (result D D)
    (@vectors
      (local $size i64) (local $start i64) (local $end S) (local $dst D) (local $length D)
      (local $low v128) (local $high v128)
      block $other
        (br_if $other (S.gt_u (S.sub (local.get $units) (S.const 4)) (S.const 28)))
        memory.size $src
        i64.from_S
        i64.const S_PAGE_LOG2
        i64.shl
        local.set $size
        local.get $src
        i64.from_S
        local.set $start
        (i64.gt_u (local.get $start) (local.get $size))
        local.get $units
        i64.from_S
        (i64.sub (local.get $size) (local.get $start))
        i64.gt_u
        i32.or
        br_if $other
        (local.set $end (S.add (local.get $src) (local.get $units)))
        (if (S.ge_u (local.get $units) (S.const 16))
          (then
            (local.set $low (v128.load $src align=1 (local.get $src)))
            (local.set $high (v128.load $src align=1 (S.sub (local.get $end) (S.const 16)))))
          (else
            (if (S.ge_u (local.get $units) (S.const 8))
              (then
                (local.set $low (v128.load64_zero $src align=1 (local.get $src)))
                (local.set $high (v128.load64_zero $src align=1 (S.sub (local.get $end) (S.const 8)))))
              (else
                (local.set $low (v128.load32_zero $src align=1 (local.get $src)))
                (local.set $high (v128.load32_zero $src align=1 (S.sub (local.get $end) (S.const 4))))))))
        (if (i8x16.bitmask (v128.or (local.get $low) (local.get $high)))
          (then (call $check_utf8 (local.get $src) (local.get $units))))
        local.get $units
        D.from_S
        local.set $length
        (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 1) (local.get $length)))
        (if (S.ge_u (local.get $units) (S.const 16))
          (then
            (v128.store $dst align=1 (local.get $dst) (local.get $low))
            (v128.store $dst align=1 (D.sub (D.add (local.get $dst) (local.get $length)) (D.const 16)) (local.get $high)))
          (else
            (if (S.ge_u (local.get $units) (S.const 8))
              (then
                (v128.store64_lane $dst align=1 0 (local.get $dst) (local.get $low))
                (v128.store64_lane $dst align=1 0 (D.sub (D.add (local.get $dst) (local.get $length)) (D.const 8))
                  (local.get $high)))
              (else
                (v128.store32_lane $dst align=1 0 (local.get $dst) (local.get $low))
                (v128.store32_lane $dst align=1 0 (D.sub (D.add (local.get $dst) (local.get $length)) (D.const 4))
                  (local.get $high))))))
        (return (local.get $dst) (local.get $length))
      end)
    (return (call $string.utf8_as_it_is (local.get $src) (local.get $units))))

  ;; The same for utf8 of any kind.
  (func $string.utf8_as_it_is (param $src S) (param $units S) (result D D)
    (local $size D) (local $dst D)
    (call $check_utf8 (local.get $src) (local.get $units))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 1) (local.get $size)))
    local.get $dst
    local.get $src
    local.get $units
    C.from_S
    memory.copy $dst $src
    local.get $dst
    local.get $size)

  ;; store_utf16_to_utf8.
  (func $string.utf16_to_utf8 (export "utf16-to-utf8") (param $src S) (param $units S) (result D D)
    (local $end S) (local $size D) (local $dst D) (local $worst D) (local $exact D)
    (call $check_utf16 (local.get $src) (local.get $units))
    (local.set $end (S.add (local.get $src) (S.shl (local.get $units) (S.const 1))))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 1) (local.get $size)))
    (local.set $src (call $string.ascii_of_utf16 (local.get $src) (local.get $end) (local.get $dst)))
    (if (S.eq (local.get $src) (local.get $end)) (then (return (local.get $dst) (local.get $size))))
    (local.set $worst (D.mul (local.get $size) (D.const 3)))
    (local.set $dst (call $realloc (local.get $dst) (local.get $size) (D.const 1) (local.get $worst)))
    ;; As many bytes are stored as units are consumed.
    local.get $units
    (S.shr_u (S.sub (local.get $end) (local.get $src)) (S.const 1))
    S.sub
    D.from_S
    local.get $dst
    D.add
    local.set $exact
    (local.set $exact
      (D.sub
        (call $string.utf8_of_utf16 (local.get $src) (local.get $end) (local.get $exact))
        (local.get $dst)))
    (call $string.shrink (local.get $dst) (local.get $worst) (D.const 1) (local.get $exact))
    local.get $exact)

  ;; store_latin1_to_utf8.
  (func $string.latin1_to_utf8 (param $src S) (param $units S) (result D D)
    (local $end S) (local $size D) (local $dst D) (local $worst D) (local $exact D)
    (call $check_latin1 (local.get $src) (local.get $units))
    (local.set $end (S.add (local.get $src) (local.get $units)))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 1) (local.get $size)))
    (local.set $src (call $string.ascii_of_latin1 (local.get $src) (local.get $end) (local.get $dst)))
    (if (S.eq (local.get $src) (local.get $end)) (then (return (local.get $dst) (local.get $size))))
    (local.set $worst (D.shl (local.get $size) (D.const 1)))
    (local.set $dst (call $realloc (local.get $dst) (local.get $size) (D.const 1) (local.get $worst)))
    local.get $units
    (S.sub (local.get $end) (local.get $src))
    S.sub
    D.from_S
    local.get $dst
    D.add
    local.set $exact
    (local.set $exact
      (D.sub
        (call $string.utf8_of_latin1 (local.get $src) (local.get $end) (local.get $exact))
        (local.get $dst)))
    (call $string.shrink (local.get $dst) (local.get $worst) (D.const 1) (local.get $exact))
    local.get $exact)

  (func $string.latin1_utf16_to_utf8 (export "latin1+utf16-to-utf8") (param $src S) (param $tagged S) (result D D)
    (if (S.ne (S.and (local.get $tagged) (S.const S_TAG)) (S.const 0))
      (then
        (return
          (call $string.utf16_to_utf8 (local.get $src) (S.xor (local.get $tagged) (S.const S_TAG))))))
    (call $string.latin1_to_utf8 (local.get $src) (local.get $tagged)))

  ;; --- to utf16 --------------------------------------------------------------------------------------------------

  ;; store_utf8_to_utf16.
  (func $string.utf8_to_utf16 (export "utf8-to-utf16") (param $src S) (param $units S) (result D D)
    (local $worst D) (local $dst D) (local $exact D)
    (call $check_utf8 (local.get $src) (local.get $units))
    local.get $units
    D.from_S
    (D.const 1)
    D.shl
    local.set $worst
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (local.get $worst)))
    (local.set $exact
      (D.sub
        (call $string.utf16_of_utf8
          (local.get $src) (S.add (local.get $src) (local.get $units)) (local.get $dst))
        (local.get $dst)))
    (call $string.shrink (local.get $dst) (local.get $worst) (D.const 2) (local.get $exact))
    (D.shr_u (local.get $exact) (D.const 1)))

  ;; store_string_copy, code units of two bytes.
  (func $string.utf16_to_utf16 (export "utf16-to-utf16") (param $src S) (param $units S) (result D D)
    (local $byte_length S) (local $dst D)
    (call $check_utf16 (local.get $src) (local.get $units))
    (local.set $byte_length (S.shl (local.get $units) (S.const 1)))
    (D.const 0)
    (D.const 0)
    (D.const 2)
    local.get $byte_length
    D.from_S
    call $realloc
    local.tee $dst
    local.get $src
    local.get $byte_length
    C.from_S
    memory.copy $dst $src
    local.get $dst
    local.get $units
    D.from_S)

  ;; store_string_copy of latin1 text: the bytes widen on the way.
  (func $string.latin1_to_utf16 (param $src S) (param $units S) (result D D)
    (local $size D) (local $dst D)
    (call $check_latin1 (local.get $src) (local.get $units))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (D.shl (local.get $size) (D.const 1))))
    (call $string.utf16_of_latin1
      (local.get $src) (S.add (local.get $src) (local.get $units)) (local.get $dst))
    local.get $dst
    local.get $size)

  (func $string.latin1_utf16_to_utf16 (export "latin1+utf16-to-utf16") (param $src S) (param $tagged S) (result D D)
    (if (S.ne (S.and (local.get $tagged) (S.const S_TAG)) (S.const 0))
      (then
        (return
          (call $string.utf16_to_utf16 (local.get $src) (S.xor (local.get $tagged) (S.const S_TAG))))))
    (call $string.latin1_to_utf16 (local.get $src) (local.get $tagged)))

  ;; --- to latin1+utf16 -------------------------------------------------------------------------------------------

  ;; store_string_to_latin1_or_utf16, from utf8: latin1 until a code point above U+00FF shows up, utf16 from there.
  (func $string.utf8_to_latin1_utf16 (export "utf8-to-latin1+utf16") (param $src S) (param $units S) (result D D)
    (local $end S) (local $size D) (local $dst D) (local $stored D) (local $worst D) (local $exact D)
    (call $check_utf8 (local.get $src) (local.get $units))
    (local.set $end (S.add (local.get $src) (local.get $units)))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (local.get $size)))
    (call $string.latin1_of_utf8 (local.get $src) (local.get $end) (local.get $dst))
    local.get $dst
    D.sub
    local.set $stored
    local.set $src
    (if (S.eq (local.get $src) (local.get $end))
      (then
        (call $string.shrink (local.get $dst) (local.get $size) (D.const 2) (local.get $stored))
        local.get $stored
        return))
    (local.set $worst (D.shl (local.get $size) (D.const 1)))
    (local.set $dst (call $realloc (local.get $dst) (local.get $size) (D.const 2) (local.get $worst)))
    (call $string.inflate (local.get $dst) (local.get $stored))
    (local.set $exact
      (D.sub
        (call $string.utf16_of_utf8
          (local.get $src)
          (local.get $end)
          (D.add (local.get $dst) (D.shl (local.get $stored) (D.const 1))))
        (local.get $dst)))
    (call $string.shrink (local.get $dst) (local.get $worst) (D.const 2) (local.get $exact))
    (D.or (D.shr_u (local.get $exact) (D.const 1)) (D.const D_TAG)))

  ;; store_string_to_latin1_or_utf16, from utf16: neither form leaves anything to shrink.
  (func $string.utf16_to_latin1_utf16 (export "utf16-to-latin1+utf16") (param $src S) (param $units S) (result D D)
    (local $end S) (local $rest S) (local $size D) (local $dst D) (local $stored D)
    (call $check_utf16 (local.get $src) (local.get $units))
    (local.set $end (S.add (local.get $src) (S.shl (local.get $units) (S.const 1))))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (local.get $size)))
    (local.set $src (call $string.latin1_of_utf16 (local.get $src) (local.get $end) (local.get $dst)))
    (if (S.eq (local.get $src) (local.get $end)) (then (return (local.get $dst) (local.get $size))))
    (local.set $dst
      (call $realloc
        (local.get $dst) (local.get $size) (D.const 2) (D.shl (local.get $size) (D.const 1))))
    (local.set $rest (S.sub (local.get $end) (local.get $src)))
    local.get $units
    (S.shr_u (local.get $rest) (S.const 1))
    S.sub
    D.from_S
    local.set $stored
    (call $string.inflate (local.get $dst) (local.get $stored))
    (D.add (local.get $dst) (D.shl (local.get $stored) (D.const 1)))
    local.get $src
    local.get $rest
    C.from_S
    memory.copy $dst $src
    local.get $dst
    (D.or (local.get $size) (D.const D_TAG)))

  ;; store_string_copy, code units of one byte, aligned for two.
  (func $string.latin1_to_latin1_utf16 (param $src S) (param $units S) (result D D)
    (local $size D) (local $dst D)
    (call $check_latin1 (local.get $src) (local.get $units))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (local.get $size)))
    local.get $dst
    local.get $src
    local.get $units
    C.from_S
    memory.copy $dst $src
    local.get $dst
    local.get $size)

  ;; store_probably_utf16_to_latin1_or_utf16: a copy, narrowed in place if nothing in it needs two bytes.
  (func $string.tagged_to_latin1_utf16 (param $src S) (param $units S) (result D D)
    (local $byte_length S) (local $size D) (local $dst D)
    (call $check_utf16 (local.get $src) (local.get $units))
    (local.set $byte_length (S.shl (local.get $units) (S.const 1)))
    local.get $units
    D.from_S
    local.set $size
    (local.set $dst (call $realloc (D.const 0) (D.const 0) (D.const 2) (D.shl (local.get $size) (D.const 1))))
    local.get $dst
    local.get $src
    local.get $byte_length
    C.from_S
    memory.copy $dst $src
    (if (i32.eqz (call $string.fits_latin1 (local.get $dst) (local.get $size)))
      (then (return (local.get $dst) (D.or (local.get $size) (D.const D_TAG)))))
    (call $string.narrow (local.get $dst) (local.get $size))
    ;; The result is bytes, so alignment 1; and realloc is called even if there is nothing to give back.
    (call $realloc
      (local.get $dst) (D.shl (local.get $size) (D.const 1)) (D.const 1) (local.get $size))
    local.get $size)

  (func $string.latin1_utf16_to_latin1_utf16 (export "latin1+utf16-to-latin1+utf16")
    (param $src S) (param $tagged S) (result D D)
    (if (S.ne (S.and (local.get $tagged) (S.const S_TAG)) (S.const 0))
      (then
        (return
          (call $string.tagged_to_latin1_utf16
            (local.get $src) (S.xor (local.get $tagged) (S.const S_TAG))))))
    (call $string.latin1_to_latin1_utf16 (local.get $src) (local.get $tagged)))

  ;; --- loops over the source -------------------------------------------------------------------------------------
  ;; Each reads [src, end), stores from `dst` on, and returns how far it came in whichever the caller cannot know.
  ;; ASCII, or whatever else needs no looking at, goes by vectors. Units go one by one up to the end of the next run
  ;; that is not ASCII (`$in_run`), since a run is seldom one code point long.

  ;; Copies ASCII units until one is not; returns where in the source that is.
  (func $string.ascii_of_utf16 (param $src S) (param $end S) (param $dst D) (result S)
    (@vectors (local $lanes v128) (local $more v128)) (local $unit i32)
    block $done
      loop $next
        (@narrow_blocks 0xFF80)
        (br_if $done (S.eq (local.get $src) (local.get $end)))
        (@vectors
          (if (S.ge_u (S.sub (local.get $end) (local.get $src)) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=2 (local.get $src)))
              (if (i32.eqz (v128.any_true (v128.and (local.get $lanes) (i16x8.splat (i32.const 0xFF80)))))
                (then
                  (v128.store64_lane $dst align=1 0 (local.get $dst)
                    (i8x16.narrow_i16x8_u (local.get $lanes) (local.get $lanes)))
                  (local.set $src (S.add (local.get $src) (S.const 16)))
                  (local.set $dst (D.add (local.get $dst) (D.const 8)))
                  (br $next))))))
        (local.set $unit (i32.load16_u $src (local.get $src)))
        (br_if $done (i32.ge_u (local.get $unit) (i32.const 0x80)))
        (i32.store8 $dst (local.get $dst) (local.get $unit))
        (local.set $src (S.add (local.get $src) (S.const 2)))
        (local.set $dst (D.add (local.get $dst) (D.const 1)))
        (br $next)
      end
    end
    local.get $src)

  ;; The same for latin1.
  (func $string.ascii_of_latin1 (param $src S) (param $end S) (param $dst D) (result S)
    (@vectors (local $lanes v128)) (local $word i64) (local $unit i32)
    block $done
      loop $next
        (@copy_blocks)
        (br_if $done (S.eq (local.get $src) (local.get $end)))
        (if (S.ge_u (S.sub (local.get $end) (local.get $src)) (S.const 8))
          (then
            (local.set $word (i64.load $src align=1 (local.get $src)))
            (if (i64.eqz (i64.and (local.get $word) (i64.const 0x8080_8080_8080_8080)))
              (then
                (i64.store $dst align=1 (local.get $dst) (local.get $word))
                (local.set $src (S.add (local.get $src) (S.const 8)))
                (local.set $dst (D.add (local.get $dst) (D.const 8)))
                (br $next)))))
        (local.set $unit (i32.load8_u $src (local.get $src)))
        (br_if $done (i32.ge_u (local.get $unit) (i32.const 0x80)))
        (i32.store8 $dst (local.get $dst) (local.get $unit))
        (local.set $src (S.add (local.get $src) (S.const 1)))
        (local.set $dst (D.add (local.get $dst) (D.const 1)))
        (br $next)
      end
    end
    local.get $src)

  ;; Returns the end of what it stored.
  (func $string.utf8_of_utf16 (param $src S) (param $end S) (param $dst D) (result D)
    (@vectors (local $lanes v128) (local $more v128)) (local $unit i32) (local $in_run i32)
    block $done
      loop $next
        (@narrow_blocks 0xFF80)
        (@vectors
          (if (S.ge_u (S.sub (local.get $end) (local.get $src)) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=2 (local.get $src)))
              (if (i32.eqz (v128.any_true (v128.and (local.get $lanes) (i16x8.splat (i32.const 0xFF80)))))
                (then
                  (v128.store64_lane $dst align=1 0 (local.get $dst)
                    (i8x16.narrow_i16x8_u (local.get $lanes) (local.get $lanes)))
                  (local.set $src (S.add (local.get $src) (S.const 16)))
                  (local.set $dst (D.add (local.get $dst) (D.const 8)))
                  (br $next))))))
        (local.set $in_run (i32.const 0))
        loop $unit
          (br_if $done (S.eq (local.get $src) (local.get $end)))
          (local.set $unit (i32.load16_u $src (local.get $src)))
          (local.set $src (S.add (local.get $src) (S.const 2)))
          (if (i32.lt_u (local.get $unit) (i32.const 0x80))
            (then
              (i32.store8 $dst (local.get $dst) (local.get $unit))
              (local.set $dst (D.add (local.get $dst) (D.const 1)))
              (br_if $next (local.get $in_run))
              (br $unit)))
          (local.set $in_run (i32.const 1))
          (if (i32.lt_u (local.get $unit) (i32.const 0x800))
            (then
              ;; 110xxxxx 10xxxxxx
              (i32.store16 $dst align=1 (local.get $dst)
                (i32.or
                  (i32.or (i32.const 0x80C0) (i32.shr_u (local.get $unit) (i32.const 6)))
                  (i32.shl (i32.and (local.get $unit) (i32.const 0x3F)) (i32.const 8))))
              (local.set $dst (D.add (local.get $dst) (D.const 2)))
              (br $unit)))
          (if (i32.ne (i32.and (local.get $unit) (i32.const 0xF800)) (i32.const 0xD800))
            (then
              ;; 1110xxxx 10xxxxxx 10xxxxxx
              (i32.store16 $dst align=1 (local.get $dst)
                (i32.or
                  (i32.or (i32.const 0x80E0) (i32.shr_u (local.get $unit) (i32.const 12)))
                  (i32.shl
                    (i32.and (i32.shr_u (local.get $unit) (i32.const 6)) (i32.const 0x3F))
                    (i32.const 8))))
              (i32.store8 $dst offset=2 (local.get $dst)
                (i32.or (i32.const 0x80) (i32.and (local.get $unit) (i32.const 0x3F))))
              (local.set $dst (D.add (local.get $dst) (D.const 3)))
              (br $unit)))
          ;; A pair: 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00), the constants taken together.
          (local.set $unit
            (i32.sub
              (i32.add
                (i32.shl (local.get $unit) (i32.const 10))
                (i32.load16_u $src (local.get $src)))
              (i32.const 0x35F_DC00)))
          (local.set $src (S.add (local.get $src) (S.const 2)))
          ;; 11110xxx 10xxxxxx 10xxxxxx 10xxxxxx
          (i32.store $dst align=1 (local.get $dst)
            (i32.or
              (i32.or
                (i32.or (i32.const 0x8080_80F0) (i32.shr_u (local.get $unit) (i32.const 18)))
                (i32.and (i32.shr_u (local.get $unit) (i32.const 4)) (i32.const 0x3F00)))
              (i32.or
                (i32.and (i32.shl (local.get $unit) (i32.const 10)) (i32.const 0x3F_0000))
                (i32.and (i32.shl (local.get $unit) (i32.const 24)) (i32.const 0x3F00_0000)))))
          (local.set $dst (D.add (local.get $dst) (D.const 4)))
          (br $unit)
        end
      end
    end
    local.get $dst)

  ;; Returns the end of what it stored.
  (func $string.utf8_of_latin1 (param $src S) (param $end S) (param $dst D) (result D)
    (@vectors (local $lanes v128)) (local $word i64) (local $unit i32)
    block $done
      loop $next
        ;; A block is stored as if it were ASCII, then from its first other unit on once more: what follows takes at
        ;; least as many bytes, and there is room for twice as many.
        (@vectors
          (if (S.ge_u (@left) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=1 (local.get $src)))
              (v128.store $dst align=1 (local.get $dst) (local.get $lanes))
              (local.set $unit (i8x16.bitmask (local.get $lanes)))
              (if (i32.eqz (local.get $unit)) (then (@advance 16 16)))
              (local.set $unit (i32.ctz (local.get $unit))))
            (else (@eight_latin1))))
        (@scalars (@eight_latin1))
        local.get $unit
        S.from_i32
        local.get $src
        S.add
        local.set $src
        local.get $unit
        D.from_i32
        local.get $dst
        D.add
        local.set $dst
        (local.set $unit (i32.load8_u $src (local.get $src)))
        (@store_latin1)
        (@advance 1 2)
      end
    end
    local.get $dst)

  ;; Returns the end of what it stored.
  (func $string.utf16_of_utf8 (param $src S) (param $end S) (param $dst D) (result D)
    (@vectors (local $lanes v128)) (local $unit i32) (local $in_run i32)
    block $done
      loop $next
        (@vectors
          (if (S.ge_u (@left) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=1 (local.get $src)))
              (local.set $unit (i8x16.bitmask (local.get $lanes)))
              (if (i32.eqz (local.get $unit))
                (then
                  (v128.store $dst align=2 (local.get $dst) (i16x8.extend_low_i8x16_u (local.get $lanes)))
                  (v128.store $dst offset=16 align=2 (local.get $dst) (i16x8.extend_high_i8x16_u (local.get $lanes)))
                  (@advance 16 32)))
              (local.set $unit (i32.ctz (local.get $unit)))
              (if (i32.ge_u (local.get $unit) (i32.const 8))
                (then
                  (v128.store $dst align=2 (local.get $dst) (i16x8.extend_low_i8x16_u (local.get $lanes)))
                  (@advance 8 16)))
              (if (i32.ge_u (local.get $unit) (i32.const 4))
                (then
                  (v128.store64_lane $dst align=2 0 (local.get $dst) (i16x8.extend_low_i8x16_u (local.get $lanes)))
                  (local.set $src (S.add (local.get $src) (S.const 4)))
                  (local.set $dst (D.add (local.get $dst) (D.const 8))))))
            (else
              (if (S.ge_u (@left) (S.const 8))
                (then
                  (local.set $lanes (v128.load8x8_u $src align=1 (local.get $src)))
                  (if (i32.eqz (v128.any_true (v128.and (local.get $lanes) (i16x8.splat (i32.const 0x80)))))
                    (then
                      (v128.store $dst align=2 (local.get $dst) (local.get $lanes))
                      (@advance 8 16))))))))
        (local.set $in_run (i32.const 0))
        loop $unit
          (br_if $done (S.eq (local.get $src) (local.get $end)))
          (local.set $unit (i32.load8_u $src (local.get $src)))
          (if (i32.lt_u (local.get $unit) (i32.const 0x80))
            (then
              (i32.store16 $dst (local.get $dst) (local.get $unit))
              (local.set $src (S.add (local.get $src) (S.const 1)))
              (local.set $dst (D.add (local.get $dst) (D.const 2)))
              (br_if $next (local.get $in_run))
              (br $unit)))
          (local.set $in_run (i32.const 1))
          (if (i32.lt_u (local.get $unit) (i32.const 0xE0))
            (then
              (i32.store16 $dst (local.get $dst)
                (i32.or
                  (i32.shl (i32.and (local.get $unit) (i32.const 0x1F)) (i32.const 6))
                  (i32.and (i32.load8_u $src offset=1 (local.get $src)) (i32.const 0x3F))))
              (local.set $src (S.add (local.get $src) (S.const 2)))
              (local.set $dst (D.add (local.get $dst) (D.const 2)))
              (br $unit)))
          ;; The second and third byte belong to the longer forms alike.
          (local.set $unit
            (i32.or
              (i32.or
                (i32.shl (local.get $unit) (i32.const 12))
                (i32.shl (i32.and (i32.load8_u $src offset=1 (local.get $src)) (i32.const 0x3F)) (i32.const 6)))
              (i32.and (i32.load8_u $src offset=2 (local.get $src)) (i32.const 0x3F))))
          (if (i32.lt_u (local.get $unit) (i32.const 0xF_0000))
            (then
              ;; The marker bits 1110 of the first byte fall off at 16 bits.
              (i32.store16 $dst (local.get $dst) (local.get $unit))
              (local.set $src (S.add (local.get $src) (S.const 3)))
              (local.set $dst (D.add (local.get $dst) (D.const 2)))
              (br $unit)))
          ;; The code point less 0x10000, in two halves of ten bits.
          (local.set $unit
            (i32.sub
              (i32.or
                (i32.and (i32.shl (local.get $unit) (i32.const 6)) (i32.const 0x1F_FFC0))
                (i32.and (i32.load8_u $src offset=3 (local.get $src)) (i32.const 0x3F)))
              (i32.const 0x1_0000)))
          (i32.store $dst align=2 (local.get $dst)
            (i32.or
              (i32.or (i32.const 0xDC00_D800) (i32.shr_u (local.get $unit) (i32.const 10)))
              (i32.shl (i32.and (local.get $unit) (i32.const 0x3FF)) (i32.const 16))))
          (local.set $src (S.add (local.get $src) (S.const 4)))
          (local.set $dst (D.add (local.get $dst) (D.const 4)))
          (br $unit)
        end
      end
    end
    local.get $dst)

  (func $string.utf16_of_latin1 (param $src S) (param $end S) (param $dst D)
    block $done
      loop $next
        (@vectors
          (if (S.ge_u (@left) (S.const 64))
            (then
              (@widen 0 8 0 16)
              (@widen 16 24 32 48)
              (@widen 32 40 64 80)
              (@widen 48 56 96 112)
              (@advance 64 128))))
        (@vectors
          (if (S.ge_u (@left) (S.const 8))
            (then
              (v128.store $dst align=2 (local.get $dst) (v128.load8x8_u $src align=1 (local.get $src)))
              (@advance 8 16))))
        (br_if $done (S.eq (local.get $src) (local.get $end)))
        (i32.store16 $dst (local.get $dst) (i32.load8_u $src (local.get $src)))
        (@advance 1 2)
      end
    end)

  ;; Stops at the first code point above U+00FF; returns where it stopped in the source, and the end of what it stored.
  (func $string.latin1_of_utf8 (param $src S) (param $end S) (param $dst D) (result S D)
    (@vectors (local $lanes v128) (local $second v128) (local $third v128) (local $fourth v128))
    (local $word i64) (local $unit i32) (local $in_run i32)
    block $done
      loop $next
        (@vectors
          (if (S.ge_u (@left) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=1 (local.get $src)))
              (local.set $unit (i8x16.bitmask (local.get $lanes)))
              (if (i32.eqz (local.get $unit))
                (then
                  (if (S.ge_u (@left) (S.const 64))
                    (then
                      (local.set $second (v128.load $src offset=16 align=1 (local.get $src)))
                      (local.set $third (v128.load $src offset=32 align=1 (local.get $src)))
                      (local.set $fourth (v128.load $src offset=48 align=1 (local.get $src)))
                      (if
                        (i32.eqz
                          (i8x16.bitmask
                            (v128.or (local.get $second) (v128.or (local.get $third) (local.get $fourth)))))
                        (then
                          (v128.store $dst align=1 (local.get $dst) (local.get $lanes))
                          (v128.store $dst offset=16 align=1 (local.get $dst) (local.get $second))
                          (v128.store $dst offset=32 align=1 (local.get $dst) (local.get $third))
                          (v128.store $dst offset=48 align=1 (local.get $dst) (local.get $fourth))
                          (@advance 64 64)))))
                  (v128.store $dst align=1 (local.get $dst) (local.get $lanes))
                  (@advance 16 16)))
              ;; Eight bytes are stored as if they were ASCII, then from their first other one on once more. All sixteen
              ;; are latin1, and what they become takes eight bytes at least: no byte is left behind that has no unit.
              (if (i32.eqz (v128.any_true (i8x16.gt_u (local.get $lanes) (i8x16.splat (i32.const 0xC3)))))
                (then
                  (v128.store64_lane $dst align=1 0 (local.get $dst) (local.get $lanes))
                  (local.set $unit (i32.ctz (local.get $unit)))
                  (if (i32.ge_u (local.get $unit) (i32.const 8)) (then (@advance 8 8)))
                  local.get $unit
                  S.from_i32
                  local.get $src
                  S.add
                  local.set $src
                  local.get $unit
                  D.from_i32
                  local.get $dst
                  D.add
                  local.set $dst)))
            (else (@eight_ascii))))
        (@scalars (@eight_ascii))
        (local.set $in_run (i32.const 0))
        loop $unit
          (br_if $done (S.eq (local.get $src) (local.get $end)))
          (local.set $unit (i32.load8_u $src (local.get $src)))
          (if (i32.lt_u (local.get $unit) (i32.const 0x80))
            (then
              (i32.store8 $dst (local.get $dst) (local.get $unit))
              (local.set $src (S.add (local.get $src) (S.const 1)))
              (local.set $dst (D.add (local.get $dst) (D.const 1)))
              (br_if $next (local.get $in_run))
              (br $unit)))
          ;; C2 and C3 lead U+0080 to U+00FF.
          (br_if $done (i32.gt_u (local.get $unit) (i32.const 0xC3)))
          (local.set $in_run (i32.const 1))
          (i32.store8 $dst (local.get $dst)
            (i32.or
              (i32.shl (local.get $unit) (i32.const 6))
              (i32.and (i32.load8_u $src offset=1 (local.get $src)) (i32.const 0x3F))))
          (local.set $src (S.add (local.get $src) (S.const 2)))
          (local.set $dst (D.add (local.get $dst) (D.const 1)))
          (br $unit)
        end
      end
    end
    local.get $src
    local.get $dst)

  ;; Stops at the first unit above 0xFF; returns where in the source that is.
  (func $string.latin1_of_utf16 (param $src S) (param $end S) (param $dst D) (result S)
    (@vectors (local $lanes v128) (local $more v128)) (local $unit i32)
    block $done
      loop $next
        (@narrow_blocks 0xFF00)
        (br_if $done (S.eq (local.get $src) (local.get $end)))
        (@vectors
          (if (S.ge_u (S.sub (local.get $end) (local.get $src)) (S.const 16))
            (then
              (local.set $lanes (v128.load $src align=2 (local.get $src)))
              (if (i32.eqz (v128.any_true (v128.and (local.get $lanes) (i16x8.splat (i32.const 0xFF00)))))
                (then
                  (v128.store64_lane $dst align=1 0 (local.get $dst)
                    (i8x16.narrow_i16x8_u (local.get $lanes) (local.get $lanes)))
                  (local.set $src (S.add (local.get $src) (S.const 16)))
                  (local.set $dst (D.add (local.get $dst) (D.const 8)))
                  (br $next))))))
        (local.set $unit (i32.load16_u $src (local.get $src)))
        (br_if $done (i32.gt_u (local.get $unit) (i32.const 0xFF)))
        (i32.store8 $dst (local.get $dst) (local.get $unit))
        (local.set $src (S.add (local.get $src) (S.const 2)))
        (local.set $dst (D.add (local.get $dst) (D.const 1)))
        (br $next)
      end
    end
    local.get $src)

  ;; --- loops in the destination ----------------------------------------------------------------------------------

  ;; `units` bytes at `ptr` become as many 16-bit units at `ptr`: from the end, so that none is overwritten unread.
  (func $string.inflate (param $ptr D) (param $units D)
    (@vectors
      block $done
        loop $next
          (br_if $done (D.lt_u (local.get $units) (D.const 8)))
          (local.set $units (D.sub (local.get $units) (D.const 8)))
          (v128.store $dst align=2 (D.add (local.get $ptr) (D.shl (local.get $units) (D.const 1)))
            (v128.load8x8_u $dst align=1 (D.add (local.get $ptr) (local.get $units))))
          (br $next)
        end
      end)
    block $done
      loop $next
        (br_if $done (D.eqz (local.get $units)))
        (local.set $units (D.sub (local.get $units) (D.const 1)))
        (i32.store16 $dst (D.add (local.get $ptr) (D.shl (local.get $units) (D.const 1)))
          (i32.load8_u $dst (D.add (local.get $ptr) (local.get $units))))
        (br $next)
      end
    end)

  ;; Whether all of the `units` 16-bit units at `ptr` are below 0x100.
  (func $string.fits_latin1 (param $ptr D) (param $units D) (result i32)
    (@vectors
      block $done
        loop $next
          (br_if $done (D.lt_u (local.get $units) (D.const 8)))
          (if
            (v128.any_true
              (v128.and (v128.load $dst align=2 (local.get $ptr)) (i16x8.splat (i32.const 0xFF00))))
            (then (return (i32.const 0))))
          (local.set $ptr (D.add (local.get $ptr) (D.const 16)))
          (local.set $units (D.sub (local.get $units) (D.const 8)))
          (br $next)
        end
      end)
    block $done
      loop $next
        (br_if $done (D.eqz (local.get $units)))
        (if (i32.gt_u (i32.load16_u $dst (local.get $ptr)) (i32.const 0xFF)) (then (return (i32.const 0))))
        (local.set $ptr (D.add (local.get $ptr) (D.const 2)))
        (local.set $units (D.sub (local.get $units) (D.const 1)))
        (br $next)
      end
    end
    i32.const 1)

  ;; `units` 16-bit units below 0x100 at `ptr` become as many bytes at `ptr`: from the start.
  (func $string.narrow (param $ptr D) (param $units D)
    (local $from D) (local $end D) (@vectors (local $lanes v128))
    (local.set $from (local.get $ptr))
    (local.set $end (D.add (local.get $ptr) (local.get $units)))
    (@vectors
      block $done
        loop $next
          (br_if $done (D.lt_u (D.sub (local.get $end) (local.get $ptr)) (D.const 16)))
          (v128.store $dst align=1 (local.get $ptr)
            (i8x16.narrow_i16x8_u
              (v128.load $dst align=2 (local.get $from))
              (v128.load $dst offset=16 align=2 (local.get $from))))
          (local.set $from (D.add (local.get $from) (D.const 32)))
          (local.set $ptr (D.add (local.get $ptr) (D.const 16)))
          (br $next)
        end
      end)
    (@vectors
      block $done
        loop $next
          (br_if $done (D.lt_u (D.sub (local.get $end) (local.get $ptr)) (D.const 8)))
          (local.set $lanes (v128.load $dst align=2 (local.get $from)))
          (v128.store64_lane $dst align=1 0 (local.get $ptr)
            (i8x16.narrow_i16x8_u (local.get $lanes) (local.get $lanes)))
          (local.set $from (D.add (local.get $from) (D.const 16)))
          (local.set $ptr (D.add (local.get $ptr) (D.const 8)))
          (br $next)
        end
      end)
    block $done
      loop $next
        (br_if $done (D.eq (local.get $ptr) (local.get $end)))
        (i32.store8 $dst (local.get $ptr) (i32.load16_u $dst (local.get $from)))
        (local.set $from (D.add (local.get $from) (D.const 2)))
        (local.set $ptr (D.add (local.get $ptr) (D.const 1)))
        (br $next)
      end
    end))
