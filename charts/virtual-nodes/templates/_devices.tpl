{{- /* The ResourceSlices of one node. Takes its name, its devices, and the generation of its pool. */}}
{{- define "virtual-nodes.slices" -}}
{{- $kind := splitList "." .devices.driver | first }}
{{- $count := int .devices.count }}
{{- /* As many devices as a slice may hold. */}}
{{- $most := 128 }}
{{- $slices := div (add $count $most -1) $most | int }}
{{- range $number := until $slices }}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata:
  name: {{ printf "%s-%s" $.name $.devices.driver }}{{ if $number }}-{{ $number }}{{ end }}
  labels:
    type: kwok
spec:
  driver: {{ $.devices.driver | quote }}
  nodeName: {{ $.name | quote }}
  pool:
    name: {{ $.name | quote }}
    generation: {{ $.generation }}
    resourceSliceCount: {{ $slices }}
  devices:
  {{- range $device := untilStep (mul $number $most | int) (min $count (mul (add1 $number) $most) | int) 1 }}
  - name: {{ printf "%s-%d" $kind $device | quote }}
    {{- with $.devices.attributes }}
    attributes:
      {{- range $key, $value := . }}
      {{ $key | quote }}: { {{- include "virtual-nodes.attribute" $value -}} }
      {{- end }}
    {{- end }}
    {{- with $.devices.capacity }}
    capacity:
      {{- range $key, $quantity := . }}
      {{ $key | quote }}: {value: {{ include "virtual-nodes.text" $quantity | quote }}}
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* One value of an attribute, by its type; text that is a semantic version is a version. */}}
{{- define "virtual-nodes.attribute" -}}
{{- $numeric := "(0|[1-9][0-9]*)" }}
{{- $before := "(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)" }}
{{- $build := "[0-9a-zA-Z-]+" }}
{{- $version := printf `^%s\.%s\.%s(-%s(\.%s)*)?(\+%s(\.%s)*)?$` $numeric $numeric $numeric $before $before $build $build }}
{{- if kindIs "bool" . }}bool: {{ . }}
{{- else if not (kindIs "string" .) }}int: {{ int64 . }}
{{- else if regexMatch $version . }}version: {{ . | quote }}
{{- else }}string: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* gpu.nvidia.com offers nvidia.com/gpu, if the devices do not say otherwise. */}}
{{- define "virtual-nodes.extendedResourceName" -}}
{{- $parts := splitn "." 2 .driver }}
{{- .extendedResourceName | default (printf "%s/%s" $parts._1 $parts._0) }}
{{- end }}

{{- define "virtual-nodes.deviceClass" -}}
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata:
  name: {{ .driver | quote }}
spec:
  selectors:
  - cel:
      expression: {{ printf "device.driver == %q" .driver | squote }}
  extendedResourceName: {{ include "virtual-nodes.extendedResourceName" . | quote }}
{{- end }}
